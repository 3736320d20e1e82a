import { describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn, runActivate } from '../support/cli';
import { writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { seal } from '../support/seal';

const GENERATIONS = '/var/lib/activate/generations';

/** How many boots a generation has left, as the boot hook reads it. */
function tries(sandbox: Sandbox, number: number): string | undefined {
  const file = sandbox.on(`${GENERATIONS}/${number}/tries`);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** A machine on which generation 1 of closure `a` is live, with closures `b` and `c` beside it, and a boot hook. */
function withMachine(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  return withSandbox(async (sandbox) => {
    for (const name of ['a', 'b', 'c']) writeClosure(sandbox, name, { 'etc/motd': `${name}\n` });
    await insistOn(sandbox)('switch', 'closures/a');
    writeFileSync(
      sandbox.on('/var/lib/activate/hooks.json'),
      seal({ schema: 1, hook: 'init', files: [], directories: [] }),
    );
    await task(sandbox);
  });
}

/** What a boot hook says of a boot, besides that it is one. */
function boots(sandbox: Sandbox, record: object): void {
  mkdirSync(sandbox.on('/run/activate'), { recursive: true });
  const whole = { schema: 1, hook: 'initrd', why: 'it is the default', passed: [], brought: false, ...record };
  writeFileSync(sandbox.on('/run/activate/boot.json'), `${JSON.stringify(whole)}\n`);
}

describe('--trial', () => {
  test('of boot and switch puts what the next boots show on trial, and says so', async () => {
    await withMachine(async (sandbox) => {
      const activate = insistOn(sandbox);
      expect(await activate('boot', 'closures/b', '--trial', '3')).toMatch(
        /^Generation 2 is what the next boot shows; .*\nIt is on trial: 3 boots\.\n$/u,
      );
      expect([tries(sandbox, 1), tries(sandbox, 2)]).toEqual([undefined, '3\n']);
      expect(await activate('switch', 'closures/c', '--trial', '1')).toMatch(
        /^Generation 3 is live: 1 path changed .*\nIt is on trial: 1 boot\.\n$/u,
      );
      expect([tries(sandbox, 2), tries(sandbox, 3)]).toEqual(['3\n', '1\n']);
      expect(await activate('list')).toMatch(
        / {2}on trial: 3 tries left .*\n.* {2}live, default, on trial: 1 try left /u,
      );
      expect(await activate('status')).toMatch(/^live .*, on trial: 1 try left$/mu);
      expect(JSON.parse(await activate('status', '--json'))).toMatchObject({ tries: { 3: 1 }, passesOver: null });
    });
  });

  test.each(['boot', 'switch'])('of %s is about generations that are there as well', async (verb) => {
    await withMachine(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/b');
      const document = JSON.parse(await activate(verb, '2', '--trial', '2', '--json')) as object;
      expect(document).toMatchObject({ state: 'done', default: 2, trial: 2 });
      expect(tries(sandbox, 2)).toBe('2\n');
      expect(JSON.parse(await activate(verb, '2', '--trial', '2', '--json'))).toMatchObject({
        state: 'nothing to do',
        trial: 2,
      });
      expect(await activate(verb, '2', '--trial', '5')).toEndWith('It is on trial: 5 boots.\n');
      expect(tries(sandbox, 2)).toBe('5\n');
    });
  });

  test.each<string[]>([
    ['boot', '2'],
    ['switch', '2'],
    ['switch', 'closures/b'],
    ['rollback', '2'],
  ])('is over with %s %s: it is trusted then', async (...argv) => {
    await withMachine(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/b', '--trial', '3');
      writeFileSync(sandbox.on(`${GENERATIONS}/2/tries`), '0\n');
      expect(await activate('status')).toContain(
        'The next boot passes over generation 2, the default: it has no tries left.',
      );
      if (argv[0] === 'rollback') await activate('switch', 'closures/c');
      expect(await activate(...argv)).toEndWith('It was on trial, and is trusted now.\n');
      expect(tries(sandbox, 2)).toBeUndefined();
      expect(await activate('status')).not.toContain('passes over');
    });
  });

  test('is left alone by what is not about the next boots', async () => {
    await withMachine(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/b', '--trial', '3');
      rmSync(sandbox.on('/etc/motd'));
      for (const argv of [
        ['verify', '--repair'],
        ['test', '1'],
        ['test', '2'],
        ['gc', '--keep', '9'],
      ])
        await activate(...argv);
      expect(tries(sandbox, 2)).toBe('3\n');
    });
  });

  test('with --dry-run changes nothing', async () => {
    await withMachine(async (sandbox) => {
      await insistOn(sandbox)('switch', 'closures/b', '--trial', '3', '--dry-run');
      expect(existsSync(sandbox.on(`${GENERATIONS}/2`))).toBe(false);
    });
  });

  test.each<[string[], number, string]>([
    [['test', 'closures/b', '--trial', '3'], 2, "activate: unknown option '--trial'"],
    [['rollback', '--trial', '3'], 2, "activate: unknown option '--trial'"],
    [['switch', 'closures/b', '--trial', '0'], 2, 'It is not a number from 1 to 99.'],
    [['switch', 'closures/b', '--trial', '100'], 2, 'It is not a number from 1 to 99.'],
    [['switch', 'closures/b', '--trial', 'x'], 2, 'It is not a number from 1 to 99.'],
    [['switch', '0', '--trial', '3'], 2, 'activate: generation 0 cannot be on trial\nLeave out --trial.'],
    [['boot', '1', '--trial', '3'], 3, 'there is no generation before 1 to fall back on\nLeave out --trial.'],
  ])('is refused as %j', async (argv, status, message) => {
    await withMachine(async (sandbox) => {
      const ran = await activateOn(sandbox)(...argv);
      expect(ran.status).toBe(status);
      expect(ran.stderr).toContain(message);
      expect([existsSync(sandbox.on(`${GENERATIONS}/2`)), tries(sandbox, 1)]).toEqual([false, undefined]);
    });
  });

  test('is no use without a boot hook, which is said', async () => {
    await withMachine(async (sandbox) => {
      const warnings: string[] = [];
      const log = {
        debug: () => {},
        info: () => {},
        error: () => {},
        warn: (text: string) => void warnings.push(text),
      };
      const run = (...argv: string[]): Promise<{ status: number }> =>
        runActivate(['--root', sandbox.root, ...argv], { workingDirectory: sandbox.root, log });
      await run('switch', 'closures/b', '--trial', '3');
      // Nor do links dangle: the hook brings them.
      await run('boot', '1');
      await run('test', '2');
      expect(warnings).toEqual([]);
      rmSync(sandbox.on('/var/lib/activate/hooks.json'));
      await run('boot', 'closures/c', '--trial', '3');
      expect(warnings.filter((each) => !each.includes('activate install` before'))).toEqual([
        'the next boot shows generation 3, and links that it does not have dangle then; switch before you reboot',
        'no boot hook is installed, so nothing counts the boots of a trial: see `activate install --help`',
      ]);
    });
  });

  test('keeps what it falls back on from gc', async () => {
    await withMachine(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/b');
      await activate('switch', 'closures/c', '--trial', '3');
      expect(await activate('gc', '--keep', '0')).toBe('1 generation removed: 1.\n');
      await activate('switch', '3');
      expect(await activate('gc', '--keep', '0')).toBe('1 generation removed: 2.\n');
    });
  });
});

describe('what a boot hook said', () => {
  test('is in status, with what to do where the next boot will fall back again', async () => {
    await withMachine(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', 'closures/b');
      boots(sandbox, {
        wanted: 2,
        chosen: 1,
        why: 'it is before the default',
        passed: [{ generation: 2, why: 'its tree is missing' }],
        brought: true,
      });
      const text = await activate('status');
      expect(text).toContain(
        [
          'boot     generation 2 was wanted; the initrd hook chose 1: it is before the default',
          '  passed over 2: its tree is missing',
          '  /etc was brought to generation 1 from another one',
          '',
        ].join('\n'),
      );
      expect(text).toContain(
        'The next boot passes over generation 2, the default: its tree is missing.\nMend that, or switch to its closure again; `activate boot 1` gives it up.\n',
      );
      expect(JSON.parse(await activate('status', '--json'))).toMatchObject({
        booted: 1,
        boot: { hook: 'initrd', wanted: 2, chosen: 1, brought: true },
        passesOver: 'its tree is missing',
        reboot: [],
      });
      await activate('boot', '1');
      expect(await activate('status')).not.toContain('The next boot passes over');
    });
  });

  test.each(['', '{"schema":1,"hook":"init', '{"schema":1}', '{"schema":1,"chosen":99}', '\0'])(
    'breaks no command where it is %j',
    async (text) => {
      await withMachine(async (sandbox) => {
        mkdirSync(sandbox.on('/run/activate'), { recursive: true });
        writeFileSync(sandbox.on('/run/activate/boot.json'), text);
        const activate = insistOn(sandbox);
        for (const argv of [
          ['status', '--json'],
          ['list', '--json'],
          ['switch', 'closures/b'],
          ['gc', '--keep', '1'],
          ['rollback', '0'],
        ])
          await activate(...argv);
        const known = text.includes('99');
        expect(await activate('status')).toContain(
          known ? 'booted   generation 99\n' : 'booted   unknown: /run/activate/boot.json is damaged\n',
        );
      });
    },
  );

  test('breaks no command where something else is in its place', async () => {
    await withMachine(async (sandbox) => {
      mkdirSync(sandbox.on('/run/activate/boot.json'), { recursive: true });
      expect(await insistOn(sandbox)('status')).toContain('boot.json is damaged\n');
    });
  });
});
