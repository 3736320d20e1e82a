import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type Namespace, openNamespace } from '../support/namespace';
import { buildNixClosure, collectNixGarbage, etcClosureExpression, nixosClosures } from '../support/nix';

describe('nix-build', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace();
  });
  afterAll(async () => namespace.close());

  test('makes a NixOS-shaped closure offline', async () => {
    const closure = await buildNixClosure(namespace, etcClosureExpression(nixosClosures.a));
    expect(closure).toMatch(/^\/nix\/store\/[0-9a-z]{32}-nixos-system-test-a$/u);
    const on = (path: string): string => namespace.on(join(closure, path));
    expect(readFileSync(on('nixos-version'), 'utf8')).toBe('a');
    const etc = namespace.on(readlinkSync(on('etc')));
    expect(etc).toMatch(/-etc\/etc$/u);

    const shown = (path: string): string => readFileSync(namespace.on(readlinkSync(join(etc, path))), 'utf8');
    expect(shown('motd')).toBe('Welcome to generation A\n');
    expect(shown('with space')).toBe('A\n');
    expect(readlinkSync(join(etc, 'localtime'))).toBe('/usr/share/zoneinfo/Europe/Berlin');
    expect(readlinkSync(join(etc, 'systemd/system'))).toMatch(/^\/nix\/store\/[0-9a-z]{32}-directory$/u);

    const sidecars = (path: string): string[] =>
      ['mode', 'uid', 'gid'].map((kind) => readFileSync(join(etc, `${path}.${kind}`), 'utf8').trim());
    expect(sidecars('secrets/token')).toEqual(['0400', '+1', '+1']);
    expect(sidecars('named-owner')).toEqual(['0640', 'root', 'daemon']);
    expect(sidecars('localtime')).toEqual(['direct-symlink', '+0', '+0']);
    expect(() => lstatSync(join(etc, 'motd.mode'))).toThrow('ENOENT');
  });

  test('makes different closures of different specifications, and the same of the same', async () => {
    const { a, b } = nixosClosures;
    const closures: string[] = [];
    for (const spec of [a, b, a]) closures.push(await buildNixClosure(namespace, etcClosureExpression(spec)));
    const [first, other, again] = closures;
    expect(other).not.toBe(first);
    expect(again).toBe(first);
  });

  test('writes text, names and link texts as they are', async () => {
    const text = "'quoted' \"twice\" $HOME ${x} '' \\ %h `id`\ttab\n\nä\n";
    const name = 'it\'s "100%" $HOME ${x} \\';
    const files = { [name]: { text }, link: { link: name }, units: { storeDirectory: { [name]: text } } };
    const closure = await buildNixClosure(namespace, etcClosureExpression({ label: 'hostile', files }));
    const etc = namespace.on(readlinkSync(namespace.on(`${closure}/etc`)));
    expect(readFileSync(namespace.on(readlinkSync(join(etc, name))), 'utf8')).toBe(text);
    expect(readlinkSync(join(etc, 'link'))).toBe(name);
    expect(readFileSync(join(namespace.on(readlinkSync(join(etc, 'units'))), name), 'utf8')).toBe(text);
  });

  test('is followed by a garbage collection that keeps what a gc root protects', async () => {
    const [kept, gone] = [nixosClosures.a, nixosClosures.b].map(async (spec) =>
      buildNixClosure(namespace, etcClosureExpression(spec)),
    );
    mkdirSync(namespace.on('/nix/var/nix/gcroots/test'), { recursive: true });
    symlinkSync((await kept) ?? '', namespace.on('/nix/var/nix/gcroots/test/a'));
    const there = namespace.on(`${await gone}/nixos-version`);
    expect(readFileSync(there, 'utf8')).toBe('b');
    expect((await collectNixGarbage(namespace)).status).toBe(0);
    expect(() => lstatSync(there)).toThrow('ENOENT');
    expect(readFileSync(namespace.on(`${await kept}/nixos-version`), 'utf8')).toBe('a');
  });
});
