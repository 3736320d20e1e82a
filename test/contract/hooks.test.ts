import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type HookFile, hookFiles, withoutComments } from '../../src/core/hooks/files';
import { hookNames } from '../../src/core/hooks/hook';
import { withSandbox } from '../support/sandbox';

const HOOKS = join(import.meta.dir, '../../src/hooks');
const names = readdirSync(HOOKS);
const scripts = names.filter((name) => name.endsWith('.sh'));

function run(program: string, ...args: readonly string[]): { readonly status: number | null; readonly said: string } {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return { status, said: stdout + stderr };
}

const input = { program: '/usr/bin/true', closure: [], modules: [] };

const fine = { status: 0, said: '' };

describe.each(scripts)('the script %s', (name) => {
  test('is what shellcheck takes for sh', () => {
    expect(run('shellcheck', '--shell=sh', '--severity=warning', join(HOOKS, name))).toEqual(fine);
  });

  test('is what dash and busybox read', () => {
    expect(run('dash', '-n', join(HOOKS, name))).toEqual(fine);
    expect(run('busybox', 'ash', '-n', join(HOOKS, name))).toEqual(fine);
  });
});

/** What bash understands of a script. */
function understood(path: string): string[] {
  const { status, said } = run('bash', '--pretty-print', path);
  expect(status).toBe(0);
  return said.split('\n').filter((line) => line !== '');
}

describe.each(scripts)('the script %s without comments', (name) => {
  test('is the same to a shell', async () => {
    await withSandbox(({ root }) => {
      const path = join(root, 'plain');
      writeFileSync(path, withoutComments(readFileSync(join(HOOKS, name), 'utf8')));
      expect(understood(path)).toEqual(understood(join(HOOKS, name)));
      expect(readFileSync(path, 'utf8')).not.toMatch(/\n\s*#/u);
    });
  });
});

/** Puts files below a directory; what a unit starts has to be on this machine. */
function place(root: string, files: readonly HookFile[]): void {
  for (const file of files) {
    const path = join(root, file.path);
    mkdirSync(dirname(path), { recursive: true });
    if ('linkText' in file) symlinkSync(file.linkText, path);
    else writeFileSync(path, textOf(file).replaceAll(/\/usr\/lib\/activate\/\w+/gu, '/usr/bin/true'));
  }
}

function textOf(file: HookFile | undefined): string {
  return file !== undefined && 'bytes' in file ? new TextDecoder().decode(file.bytes) : '';
}

describe.each([...hookNames])('the units of %s', (hook) => {
  test('are what systemd takes', async () => {
    await withSandbox(({ root }) => {
      const files = hookFiles(hook, input).filter(({ path }) => path.includes('/systemd/'));
      place(root, files);
      const units = files.filter((file) => 'bytes' in file && file.path.endsWith('.service'));
      const paths = units.map(({ path }) => join(root, path));
      expect(run('systemd-analyze', 'verify', '--man=no', ...paths)).toEqual(fine);
    });
  });
});

describe.each([[['dash']], [['busybox', 'ash']]])('the plugin of kernel-install, run by %p', (shell) => {
  test.each<[string, string, string[], string[], string[]]>([
    ['puts the add-on beside an initrd that was made', 'add', ['initrd'], [], ['initrd', 'initrd-zz-activate.cpio']],
    ['puts it beside one that was named', 'add', [], ['named'], ['initrd-zz-activate.cpio']],
    ['makes no initrd of it alone', 'add', ['microcode'], [], ['microcode']],
    ['has nothing to do with removals', 'remove', ['initrd'], [], ['initrd']],
  ])('%s', async (_, verb, staged, named, expected) => {
    await withSandbox(({ on }) => {
      mkdirSync(on('/staging'));
      for (const name of ['addon', 'named', ...staged.map((each) => `staging/${each}`)])
        writeFileSync(on(`/${name}`), name);
      const plugin = readFileSync(join(HOOKS, 'kernel-install.sh'), 'utf8');
      writeFileSync(on('/plugin'), plugin.replaceAll('/usr/lib/activate/addon.cpio', on('/addon')));
      const [program = '', ...args] = shell;
      const { status, stderr } = spawnSync(
        program,
        [...args, on('/plugin'), verb, '6.1', '/boot/6.1', '/vmlinuz', ...named.map((name) => on(`/${name}`))],
        { encoding: 'utf8', env: { PATH: process.env['PATH'], KERNEL_INSTALL_STAGING_AREA: on('/staging') } },
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(readdirSync(on('/staging')).toSorted()).toEqual(expected);
    });
  });
});

test('what is asked of machines that boot is what facts say they need', () => {
  const unit = hookFiles('dracut', input).find(({ path }) => path.endsWith('/system/activate-initrd.service'));
  const text = textOf(unit);
  for (const line of [
    'Requires=initrd-root-fs.target initrd-fs.target',
    'RequiresMountsFor=/sysroot/var/lib/activate',
    'Before=initrd.target initrd-cleanup.service initrd-switch-root.target',
    'OnFailure=emergency.target',
    'OnFailureJobMode=replace-irreversibly',
  ])
    expect(text).toContain(`\n${line}\n`);
});

describe.each([[['dash']], [['busybox', 'ash']]])('the init, run by %p', (shell) => {
  /** What it, and what it starts, said; each program of the machine is one of these. */
  function started(
    programs: Readonly<Record<string, string>>,
    links: Readonly<Record<string, string>> = {},
  ): Promise<string[]> {
    return withSandbox(({ on }) => {
      for (const [path, script] of Object.entries(programs)) {
        mkdirSync(dirname(on(path)), { recursive: true });
        writeFileSync(on(path), `#!/bin/sh\n${script}\n`.replaceAll('LOG', on('/log')), { mode: 0o755 });
      }
      const inTree = (text: string): string =>
        text
          .replaceAll(/(?<![\w/])\/(?:usr\/)?lib\/(?:activate|systemd)\//gu, (path) => on(path))
          .replace("/sbin/init'", `${on('/sbin/init')}'`)
          .replace('PATH=/', `PATH=${on('/bin')}:/`);
      writeFileSync(on('/usr/lib/activate/init'), inTree(readFileSync(join(HOOKS, 'init.sh'), 'utf8')), {
        mode: 0o755,
      });
      mkdirSync(on('/sbin'), { recursive: true });
      for (const [path, target] of Object.entries(links)) symlinkSync(on(target), on(path));
      // It mounts what is not there: in a namespace of its own.
      const command = ['--mount', ...shell, on('/usr/lib/activate/init'), 'one', 'two words'];
      const { status, stderr } = spawnSync('unshare', command, { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      return readFileSync(on('/log'), 'utf8').trim().split('\n');
    });
  }

  const boot = 'echo "boot $HOOK <$SYSROOT>" >>LOG';
  const real = 'echo "init: $*" >>LOG';

  test('shows a generation, and then is the real init', async () => {
    expect(await started({ '/usr/lib/activate/boot': boot, '/usr/lib/systemd/systemd': real })).toEqual([
      'boot init <>',
      'init: one two words',
    ]);
  });

  test('is never its own real init', async () => {
    const programs = { '/usr/lib/activate/boot': boot, '/lib/systemd/systemd': real };
    const links = { '/sbin/init': '/usr/lib/activate/init' };
    expect(await started(programs, links)).toEqual(['boot init <>', 'init: one two words']);
  });

  test('waits for somebody who mends what keeps it, and never goes on without', async () => {
    const programs = {
      '/usr/lib/activate/boot': `${boot}\n[ "$(grep -c boot LOG)" = 3 ]`,
      '/usr/lib/systemd/systemd': real,
      '/bin/sulogin': 'echo "shell" >>LOG; exit 1',
      '/bin/sleep': 'exit 0',
    };
    expect(await started(programs)).toEqual([
      'boot init <>',
      'shell',
      'boot init <>',
      'shell',
      'boot init <>',
      'init: one two words',
    ]);
  });
});
