import { describe, expect, test } from 'bun:test';
import { readFileSync, readlinkSync } from 'node:fs';
import { namesWithEachByte, nameBytes, trickyNames } from '../support/names';
import { insistOn } from '../support/cli';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import { LONGEST_NAME } from '../support/overlay';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, type Seen, takeSnapshot } from '../support/snapshot';

const policy =
  'schema = 1\n[[path]]\nmatch = "/etc/copies/"\nplace = "link"\n[[path]]\nmatch = "/etc/copied/**"\nplace = "copy"\n';

/** Every name as a file, a link, a directory, a copy, and a link's text. */
function contentsFor(names: readonly string[], text: string): Contents {
  const contents: Record<string, Contents[string]> = { 'activation.toml': policy };
  for (const name of names) {
    contents[`etc/files/${name}`] = text;
    contents[`etc/links/${name}`] = { link: `${name}${text}` };
    contents[`etc/directories/${name}/x`] = text;
    contents[`etc/copied/${name}`] = text;
  }
  return contents;
}

function etc(sandbox: Sandbox): Seen[] {
  return takeSnapshot(sandbox.on('/etc'));
}

const tables: [string, readonly string[]][] = [
  ['with every byte', namesWithEachByte(nameBytes).filter((_, index) => index % 5 === 0)],
  ['that mean something elsewhere', trickyNames],
  [
    'that are long',
    [LONGEST_NAME, '\u00e4'.repeat(127), ...['%', '"', '\udcff'].map((each) => each.repeat(LONGEST_NAME.length))],
  ],
];

describe.each(tables)('names %s', (_, names) => {
  test('are switched to, changed, and given back', async () => {
    await withSandbox(async (sandbox) => {
      const activate = insistOn(sandbox);
      const own = Object.entries(contentsFor(names.slice(0, 20), 'own')).filter(([path]) => path.startsWith('etc/'));
      writeContents(sandbox.root, Object.fromEntries(own));
      const before = etc(sandbox);
      writeClosure(sandbox, 'a', contentsFor(names, 'one'));
      writeClosure(sandbox, 'b', contentsFor(names, 'two'));
      await activate('switch', 'closures/a', '--on-conflict', 'backup');
      const one = etc(sandbox);
      const preview = JSON.parse(await activate('diff', '--json', 'closures/b')) as { changes: unknown[] };
      expect(preview.changes).toHaveLength(4 * names.length);
      await activate('switch', 'closures/b');
      expect(etc(sandbox)).not.toEqual(one);
      await activate('switch', '1');
      expect(compareSnapshots(one, etc(sandbox), { times: true })).toEqual([]);
      expect(await activate('status')).toContain(' 0 drifted, ');
      await activate('rollback', '0');
      expect(compareSnapshots(before, etc(sandbox), { times: true })).toEqual([]);
    });
  }, 60_000);

  test('are in the previews', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', contentsFor(names, 'one'));
      const activate = insistOn(sandbox);
      for (const form of ['--stat', '--name-status']) {
        const printed = await activate('diff', form, closure);
        // No name may end a line, or say something to a terminal.
        expect(/[\x00-\x08\x0b-\x1f\x7f]/u.test(printed)).toBe(false);
      }
      const { changes } = JSON.parse(await activate('diff', '--json', closure)) as { changes: { path: string }[] };
      const paths = new Set(changes.map(({ path }) => path));
      expect(names.filter((name) => !paths.has(`/etc/files/${name}`))).toEqual([]);
    });
  }, 60_000);
});

test('names are what a program finds', async () => {
  await withSandbox(async (sandbox) => {
    const closure = writeClosure(sandbox, 'a', { 'etc/a b%m*': 'x\n', 'etc/\udcff': { link: '\udcfe' } });
    await insistOn(sandbox)('switch', closure);
    expect(etc(sandbox).map(({ path, linkText }) => [path, linkText])).toEqual([
      ['/', undefined],
      [String.raw`/\xff`, String.raw`\xfe`],
      ['/a b%m*', '/run/filesystem-overlay/etc/a b%m*'],
    ]);
    expect(readFileSync(sandbox.on(`${readlinkSync(sandbox.on('/run/filesystem-overlay'))}/etc/a b%m*`), 'utf8')).toBe(
      'x\n',
    );
  });
});
