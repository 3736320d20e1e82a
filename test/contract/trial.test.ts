import { describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Sandbox, withSandbox } from '../support/sandbox';

const hooks = join(import.meta.dir, '../../src/hooks');
const bless = join(hooks, 'bless.sh');

function run(command: string, args: readonly string[], env: Record<string, string> = {}): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  return `${status}: ${stdout}${stderr}`;
}

/** Generations 2 and 3 on trial, and what a boot hook said. */
function boot({ on }: Sandbox, record: string | undefined): void {
  for (const number of [2, 3]) {
    mkdirSync(on(`/var/lib/activate/generations/${number}`), { recursive: true });
    writeFileSync(on(`/var/lib/activate/generations/${number}/tries`), '2\n');
  }
  mkdirSync(on('/run/activate'));
  if (record !== undefined) writeFileSync(on('/run/activate/boot.json'), record);
}

describe('what trusts a generation after the boot', () => {
  test('is a script that shellcheck has nothing to say about', () => {
    expect(run('shellcheck', ['--shell=sh', '--enable=all', '--exclude=SC2250,SC2292', bless])).toBe('0: ');
  });

  const blessed = '0: generation 2 is trusted: it booted\n';
  const record =
    '{"schema":1,"hook":"init","wanted":3,"chosen":2,"why":"of \\"chosen\\":3","passed":[],"brought":true}\n';

  describe.each(['dash', 'busybox'])('%s', (shell) => {
    test.each<[string, string | undefined, string, number[]]>([
      ['that booted', record, blessed, [3]],
      ['without a newline at the end of the record', record.trim(), blessed, [3]],
      ['without a record: none', undefined, '0: ', [2, 3]],
      ['that is trusted: none', record.replace('"chosen":2', '"chosen":4'), '0: ', [2, 3]],
      ['of an empty record: none', '', '1: ROOT/run/activate/boot.json does not say what was chosen\n', [2, 3]],
      [
        'of a damaged record: none',
        '{"chosen":"x"}',
        '1: ROOT/run/activate/boot.json does not say what was chosen\n',
        [2, 3],
      ],
    ])('trusts the generation %s', async (_, text, said, left) => {
      await withSandbox((sandbox) => {
        boot(sandbox, text);
        const argv = shell === 'busybox' ? ['busybox', 'sh', bless] : [shell, bless];
        const output = run(argv[0] ?? '', argv.slice(1), { ROOT: sandbox.root });
        expect(output.replaceAll(sandbox.root, 'ROOT')).toBe(said);
        const tries = [2, 3].filter((each) => existsSync(sandbox.on(`/var/lib/activate/generations/${each}/tries`)));
        expect(tries).toEqual(left);
      });
    });
  });
});

const units = ['activate-bless.service', 'activate-resume.service'] as const;

describe('the units of a boot', () => {
  /** Where a unit is as `activate install` writes it, beside a health check. */
  function install({ on }: Sandbox): string {
    mkdirSync(on('/units/boot-complete.target.requires'), { recursive: true });
    for (const unit of units)
      writeFileSync(
        on(`/units/${unit}`),
        readFileSync(join(hooks, unit), 'utf8').replaceAll('@ACTIVATE@', '/bin/true'),
      );
    copyFileSync('/bin/true', on('/units/bless'));
    const check =
      '[Unit]\nBefore=boot-complete.target\nAfter=multi-user.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n';
    writeFileSync(on('/units/check.service'), check);
    symlinkSync('../check.service', on('/units/boot-complete.target.requires/check.service'));
    return on('/units');
  }

  test.each([...units])('%s is one that systemd takes', async (unit) => {
    await withSandbox((sandbox) => {
      const directory = install(sandbox);
      const file = join(directory, unit);
      writeFileSync(file, readFileSync(file, 'utf8').replace('/usr/lib/activate/bless', '/bin/true'));
      const env = { SYSTEMD_UNIT_PATH: `${directory}:` };
      expect(run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=one', file], env)).toBe('0: ');
    });
  });

  test('start no `activate` where nothing was interrupted', () => {
    const text = readFileSync(join(hooks, 'activate-resume.service'), 'utf8');
    expect(text.match(/^ConditionPathExists=.*$/gmu)).toEqual([
      'ConditionPathExists=|/var/lib/activate/transition.json',
      'ConditionPathExists=|/var/lib/activate/boot.journal',
    ]);
    expect(text.match(/@ACTIVATE@/gu)).toHaveLength(1);
  });
});
