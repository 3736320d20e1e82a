import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type HookFile, hookFiles } from '../../src/core/hooks/files';
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
      const files = hookFiles(hook, '/usr/bin/true').filter(({ path }) => path.includes('/systemd/'));
      place(root, files);
      const units = files.filter((file) => 'bytes' in file && file.path.endsWith('.service'));
      const paths = units.map(({ path }) => join(root, path));
      expect(run('systemd-analyze', 'verify', '--man=no', ...paths)).toEqual(fine);
    });
  });
});

test('what is asked of machines that boot is what facts say they need', () => {
  const unit = hookFiles('dracut', '/usr/bin/true').find(({ path }) =>
    path.endsWith('/system/activate-initrd.service'),
  );
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
