import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeMountMembers, renderBeforeMount } from '../../src/core/boot/initrd';
import { encodeName } from '../../src/core/bytes';

const shells = [['dash'], ['busybox', 'sh']] as const;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the script in an initrd of its own, as far as /run goes, as often as it is asked. */
function runIn(shell: readonly string[], script: string, times = 1): Ended {
  const directory = mkdtempSync(join(tmpdir(), 'before-mount-'));
  try {
    const file = join(directory, 'before-mount');
    writeFileSync(file, encodeName(script), { mode: 0o755 });
    const run = Array.from({ length: times }, () => `${shell.join(' ')} ${file}`).join(' && ');
    const whole = `mount -t tmpfs tmpfs /run && { ${run}; status=$?; find /run/activate 2>/dev/null; exit $status; }`;
    const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', whole], { encoding: 'utf8' });
    return { status, stdout, stderr };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function script(...beforeMount: readonly (readonly string[])[]): string {
  return renderBeforeMount({ modules: [], kernels: [], beforeMount });
}

const DONE = '/run/activate\n/run/activate/before-mount\n';

describe.each(shells)('what runs before anything is mounted, in %s', (...shell) => {
  test('runs commands in their order, each once', () => {
    const { status, stdout } = runIn(shell, script(['echo', 'a'], ['/bin/echo', 'b']), 2);
    expect([status, stdout]).toEqual([0, `a\nb\n${DONE}`]);
  });

  test('ends with the first command that fails, and says which', () => {
    const failing = script(['true'], ['sh', '-c', 'exit 3', 'a b'], ['echo', 'never']);
    const { status, stdout, stderr } = runIn(shell, failing);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toEndWith('activate: before-mount[2] failed with status 3: sh -c exit 3 a b\n');
  });

  test('says what is no program', () => {
    const { status, stderr } = runIn(shell, script(['no-such-program']));
    expect(status).toBe(1);
    expect(stderr).toEndWith('activate: before-mount[1] failed with status 127: no-such-program\n');
  });

  test.each(['exit', 'cd', ':', 'run', 'fail', 'x=1'])(
    'takes %s for a program, as it may be something else in a shell',
    (name) => {
      expect(runIn(shell, script([name, '0'], ['echo', 'never']))).toMatchObject({ status: 1, stdout: '' });
    },
  );

  test('gives programs the words as they are', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'\'"\\$`%*?~!#; \n\t-a'.split('')) }),
    );
    const words = fc.array(
      word.filter((each) => !each.includes('\0') && each.isWellFormed()),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(words, (given) => {
        const { stdout } = runIn(shell, script(['printf', '%s|', ...given]));
        expect(stdout).toBe(`${given.length === 0 ? '|' : given.map((each) => `${each}|`).join('')}${DONE}`);
      }),
      { numRuns: 25 },
    );
  });

  test('ends where a module cannot be loaded; those that are there are fine', () => {
    const kernel = {
      version: release(),
      chosen: { modules: [], useful: new Map(), loads: ['kernel', 'no_such'], missing: [] },
    };
    const known = renderBeforeMount({ modules: ['other'], kernels: [kernel], beforeMount: [['echo', 'never']] });
    const { status, stdout, stderr } = runIn(shell, known);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toEndWith(`activate: the module no_such cannot be loaded into the kernel ${release()}\n`);
  });

  test('asks the initrd for the modules of a kernel that the add-on does not know', () => {
    const kernel = { version: 'other', chosen: { modules: [], useful: new Map(), loads: ['no_such'], missing: [] } };
    expect(runIn(shell, renderBeforeMount({ modules: ['kernel'], kernels: [kernel], beforeMount: [] }))).toMatchObject({
      status: 0,
      stdout: DONE,
    });
  });
});

test('shellcheck has nothing to mend in it', () => {
  const text = renderBeforeMount({
    modules: ['xfs'],
    kernels: [{ version: '6.1', chosen: { modules: [], useful: new Map(), loads: ['xfs'], missing: [] } }],
    beforeMount: [['echo', "it's", '$a']],
  });
  const { stdout } = spawnSync('shellcheck', ['--shell=sh', '--exclude=SC2016', '-'], {
    input: text,
    encoding: 'utf8',
  });
  expect(stdout).toBe('');
});

test('systemd has nothing to say of its unit, in a tree that requires it', () => {
  const root = mkdtempSync(join(tmpdir(), 'units-'));
  try {
    for (const member of beforeMountMembers({ modules: [], kernels: [], beforeMount: [['true']] })) {
      if (member.kind !== 'file') continue;
      mkdirSync(join(root, member.path, '..'), { recursive: true });
      writeFileSync(join(root, member.path), member.bytes, { mode: member.mode });
    }
    const unit = join(root, 'usr/lib/systemd/system/activate-before-mount.service');
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', unit], {
      encoding: 'utf8',
    });
    const said = stderr.split('\n').filter((line) => line !== '' && !line.includes('is not executable'));
    expect([said, status === 0 || stderr.includes('is not executable')]).toEqual([[], true]);
  } finally {
    rmSync(root, { recursive: true });
  }
});
