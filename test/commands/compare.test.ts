import { describe, expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import { type Sandbox, removeTree, withSandbox } from '../support/sandbox';
import { differencesBetween, lookBelowEtc } from '../support/shown';
import { takeSnapshot } from '../support/snapshot';

const policy = [
  'schema = 1',
  '[[path]]\nmatch = "/etc/copy"\nplace = "copy"',
  '[[path]]\nmatch = "/etc/placement"\nplace = "PLACE"',
  '[[path]]\nmatch = "/etc/whole/"\nplace = "link"',
  '[[path]]\nmatch = "/etc/named/"\nplace = "directory"\nmode = "0MODE"',
  '',
].join('\n');

/** Two closures that differ in every kind of thing. */
function writeBoth(sandbox: Sandbox): void {
  writeClosure(sandbox, 'a', {
    'activation.toml': policy.replace('PLACE', 'copy').replace('MODE', '755'),
    'etc/copy': 'one\n',
    'etc/gone/x': 'x\n',
    'etc/kind': { link: 'x' },
    'etc/directory/x': 'x\n',
    'etc/link': { link: 'x' },
    'etc/mode': 'x\n',
    'etc/motd': 'one\ntwo\n',
    'etc/named/x': 'x\n',
    'etc/placement': 'the same\n',
    'etc/same': 'x\n',
    'etc/secret': { file: 'old\n', mode: 0o600 },
    'etc/whole/x': 'one\n',
  });
  writeClosure(sandbox, 'b', {
    'activation.toml': policy.replace('PLACE', 'link').replace('MODE', '750'),
    'etc/binary': 'a\0b',
    'etc/copy': 'two\n',
    'etc/kind': 'a file\n',
    'etc/directory': 'a file\n',
    'etc/link': { link: 'y' },
    'etc/mode': { file: 'x\n', mode: 0o755 },
    'etc/motd': 'one\n2\n',
    'etc/named/x': 'x\n',
    'etc/new/x': 'x\n',
    'etc/placement': 'the same\n',
    'etc/same': 'x\n',
    'etc/secret': { file: 'new\n', mode: 0o600 },
    'etc/whole/x': 'two\n',
    'etc/whole/y': 'x\n',
  });
}

const nameStatus = [
  'A\t/etc/binary',
  'M\t/etc/copy',
  'T\t/etc/directory',
  'D\t/etc/directory/x',
  'D\t/etc/gone',
  'D\t/etc/gone/x',
  'T\t/etc/kind',
  'M\t/etc/link',
  'M\t/etc/mode',
  'M\t/etc/motd',
  'M\t/etc/named',
  'A\t/etc/new',
  'A\t/etc/new/x',
  'M\t/etc/secret',
  'M\t/etc/whole/x',
  'A\t/etc/whole/y',
  '',
].join('\n');

function rule(place: string): string {
  return `schema = 1\n[[path]]\nmatch = "/etc/x"\nplace = "${place}"\n`;
}

function wrapped(mode: string, text: string): Contents {
  return {
    'activation.toml': `schema = 1\n[[wrapper]]\nname = "x"\nsource = "bin/x"\nmode = "${mode}"\n`,
    'bin/x': { file: text, mode: 0o755 },
  };
}

describe('diff of two', () => {
  test('is the same for generations, closures, bundles and images, whatever the machine shows', async () => {
    await withSandbox(async (sandbox) => {
      writeBoth(sandbox);
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/b');
      await activate('switch', 'closures/a');
      for (const name of ['a', 'b']) {
        await activate('generate', `closures/${name}`, '--output', `bundle-${name}`);
        await activate('generate', `closures/${name}`, '--output', `image-${name}`, '--image', 'squashfs');
      }
      rmSync(sandbox.on('/etc/motd'));
      writeContents(sandbox.root, { 'etc/motd': 'edited\n', 'etc/new/x': 'own\n', 'etc/binary': 'own\n' });
      const before = takeSnapshot(sandbox.root, { inodes: true });
      const expected = await activate('diff', 'closures/a', 'closures/b');
      expect(await activate('diff', 'closures/a', 'closures/b', '--name-status')).toBe(nameStatus);
      for (const from of ['closures/a', '2', 'bundle-a', 'image-a']) {
        for (const to of ['closures/b', '1', 'bundle-b', 'image-b'])
          expect({ from, to, patch: await activate('diff', from, to) }).toEqual({ from, to, patch: expected });
        for (const same of ['closures/a', '2', 'bundle-a', 'image-a'])
          expect(await activate('diff', '--exit-code', from, same)).toBe('');
      }
      expect(takeSnapshot(sandbox.root, { inodes: true })).toEqual(before);
    });
  });

  test.each([
    ['closures/a', 'closures/b'],
    ['closures/b', 'closures/a'],
    ['closures/a', '0'],
    ['0', 'closures/b'],
  ])('%s and %s is what a machine that shows the one then does', async (from, to) => {
    await withSandbox(async (sandbox) => {
      writeBoth(sandbox);
      const activate = insistOn(sandbox);
      const preview = await activate('diff', '--name-status', from, to);
      if (from !== '0') await activate('switch', from);
      const before = lookBelowEtc(sandbox);
      await activate('switch', to);
      const inside = /^\w\t\/etc\/whole\/.*\n/gmu;
      expect(differencesBetween(before, lookBelowEtc(sandbox))).toBe(preview.replaceAll(inside, ''));
    });
  });

  test('has all forms, and says whether anything differs', async () => {
    await withSandbox(async (sandbox) => {
      writeBoth(sandbox);
      await insistOn(sandbox)('switch', 'closures/a');
      const activate = activateOn(sandbox);
      for (const form of [[], ['--stat'], ['--name-status'], ['--json']]) {
        expect((await activate('diff', '--exit-code', ...form, '1', 'closures/b')).status).toBe(1);
        expect((await activate('diff', '--exit-code', ...form, '1', 'closures/a')).status).toBe(0);
      }
      const { stdout } = await activate('diff', '--json', '1', 'closures/b');
      expect(JSON.parse(stdout)).toMatchObject({ schema: 1, from: 1, to: sandbox.on('/closures/b'), conflicts: [] });
      expect((await activate('diff', '--stat', '0', '0')).stdout).toBe('');
    });
  });

  test('withholds what not everyone may read, and shows it to those who ask', async () => {
    await withSandbox(async (sandbox) => {
      writeBoth(sandbox);
      const activate = insistOn(sandbox);
      expect(await activate('diff', 'closures/a', 'closures/b')).not.toContain('+new');
      expect(await activate('diff', '--show-secrets', 'closures/a', 'closures/b')).toContain('-old\n+new\n');
    });
  });

  test('shows wrappers with the rights that they give', async () => {
    await withSandbox(async (sandbox) => {
      writeClosure(sandbox, 'none', { 'etc/x': 'x\n' });
      writeClosure(sandbox, 'a', { 'etc/x': 'x\n', ...wrapped('4755', 'one\n') });
      writeClosure(sandbox, 'b', { 'etc/x': 'x\n', ...wrapped('4711', 'two\n') });
      const activate = insistOn(sandbox);
      const patch = await activate('diff', '--show-secrets', 'closures/a', 'closures/b');
      expect(patch).toContain(
        'diff --git a/run/wrappers/bin/x b/run/wrappers/bin/x\nold mode 104755\nnew mode 104711\n',
      );
      expect(patch).toContain('-one\n+two\n');
      expect(await activate('diff', '--name-status', 'closures/none', 'closures/a')).toBe('A\t/run/wrappers/bin/x\n');
      expect(await activate('diff', '--name-status', 'closures/b', 'closures/none')).toBe('D\t/run/wrappers/bin/x\n');
      expect(await activate('diff', '--exit-code', 'closures/a', 'closures/a')).toBe('');
    });
  });

  test('names what would be in the way: a seed is the machine’s own once it is made', async () => {
    await withSandbox(async (sandbox) => {
      writeClosure(sandbox, 'a', { 'activation.toml': rule('seed'), 'etc/x': 'one\n' });
      writeClosure(sandbox, 'b', { 'activation.toml': rule('copy'), 'etc/x': 'two\n' });
      const activate = activateOn(sandbox);
      const { stdout, stderr } = await activate('diff', 'closures/a', 'closures/b');
      expect(stdout).toBe('');
      expect(stderr).toStartWith("conflict: /etc/x: a file of the machine's is there\n");
      const agreed = await activate('diff', '--on-conflict', 'backup', 'closures/a', 'closures/b');
      expect(agreed.stdout).toContain("# /etc/x: the machine's own is kept as a backup\n");
      expect(agreed.stdout).toContain('-one\n+two\n');
      await insistOn(sandbox)('switch', 'closures/a');
      expect(await activate('diff', 'closures/b')).toEqual({ status: 0, stdout, stderr });
      expect((await activate('diff', '--name-status', 'closures/a', '0')).stdout).toBe('');
    });
  });

  test.each<[readonly [string, string], number, string]>([
    [['1', '7'], 2, 'there is no generation 7'],
    [['closures/a', 'closures/none'], 65, 'there is no such closure'],
    [['damaged', 'closures/b'], 65, 'the image is damaged'],
    [['1', 'closures/b'], 3, 'generation 1 cannot be shown: its content is gone'],
  ])('%j ends with %i: %s', async (ends, status, message) => {
    await withSandbox(async (sandbox) => {
      writeBoth(sandbox);
      const activate = activateOn(sandbox);
      await activate('switch', 'closures/a');
      await activate('generate', 'closures/a', '--output', 'damaged', '--image', 'squashfs');
      writeFileSync(sandbox.on('/damaged/image.squashfs'), 'x');
      if (status === 3) removeTree(sandbox.on('/var/lib/activate/generations/1/tree'));
      const ran = await activate('diff', ...ends);
      expect(ran).toEqual({ status, stdout: '', stderr: expect.stringContaining(message) });
    });
  });
});
