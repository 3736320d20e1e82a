import { describe, expect, test } from 'bun:test';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn, runActivate } from '../support/cli';
import { writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { inShort, type Line, startWatching, waitFor, type Watching } from '../support/watching';

const policy = 'schema = 1\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n';

async function withGeneration(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    for (const name of ['one', 'two'])
      writeClosure(sandbox, name, {
        'etc/copy': `copy ${name}\n`,
        'etc/motd': 'motd\n',
        'etc/d/x': 'x\n',
        'etc/d/y': 'y\n',
        'activation.toml': policy,
      });
    await insistOn(sandbox)('switch', 'closures/one');
    await task(sandbox);
  });
}

/** Watches for the length of a task, and insists that it ends well. */
async function whileWatching(
  sandbox: Sandbox,
  argv: readonly string[],
  task: (watching: Watching) => Promise<void>,
  elapsed?: () => number,
): Promise<void> {
  const watching = await startWatching(sandbox, argv, elapsed);
  try {
    await task(watching);
  } finally {
    expect(await watching.end()).toBe(0);
  }
}

function repairs(lines: readonly Line[]): number {
  return lines.filter(({ event }) => event === 'repaired').length;
}

/** Replaces a file or link in one step, as editors and package managers do. */
function replace(path: string, content: string): void {
  writeFileSync(`${path}.new`, content);
  renameSync(`${path}.new`, path);
}

describe('watch', () => {
  test('says what drifts and what is right again, each once, with path, what and generation', async () => {
    await withGeneration(async (sandbox) => {
      await whileWatching(sandbox, [], async ({ until, lines }) => {
        expect(lines()[0]).toMatchObject({ schema: 1, event: 'watching', generation: 1, paths: 6 });
        writeFileSync(sandbox.on('/etc/copy'), 'other\n');
        await until((seen) => seen.length === 2);
        expect(lines()[1]).toMatchObject({
          event: 'drift',
          path: '/etc/copy',
          what: 'its content was changed',
          generation: 1,
        });
        writeFileSync(sandbox.on('/etc/copy'), 'and other\n');
        rmSync(sandbox.on('/etc/motd'));
        await until((seen) => seen.length === 3);
        expect(lines()[2]).toMatchObject({ event: 'drift', path: '/etc/motd', what: 'it is gone' });
        await insistOn(sandbox)('verify', '--repair');
        await until((seen) => seen.length === 5);
        expect(inShort(lines()).slice(3).toSorted()).toEqual(['right /etc/copy', 'right /etc/motd']);
      });
    });
  });

  test('sees what happens in directories that come in the place of others', async () => {
    await withGeneration(async (sandbox) => {
      await whileWatching(sandbox, [], async ({ until }) => {
        renameSync(sandbox.on('/etc/d'), sandbox.on('/etc/d.old'));
        await until((seen) => inShort(seen).includes('drift /etc/d/x'));
        await insistOn(sandbox)('switch', '1');
        await until((seen) => inShort(seen).includes('right /etc/d/x'));
        rmSync(sandbox.on('/etc/d/x'));
        await until((seen) => inShort(seen).filter((line) => line === 'drift /etc/d/x').length === 2);
        renameSync(sandbox.on('/etc'), sandbox.on('/etc.old'));
        await until((seen) => inShort(seen).includes('drift /etc/motd'));
        renameSync(sandbox.on('/etc.old'), sandbox.on('/etc'));
        await until((seen) => inShort(seen).includes('right /etc/motd'));
        rmSync(sandbox.on('/etc/motd'));
        await until((seen) => inShort(seen).filter((line) => line === 'drift /etc/motd').length === 2);
      });
    });
  });

  test('sees the pointer, and directories whose names are no ordinary ones', async () => {
    await withSandbox(async (sandbox) => {
      writeClosure(sandbox, 'odd', { 'etc/a\\x2db.d/x': 'x\n', 'etc/bytes-\udcff.d/x': 'x\n' });
      await insistOn(sandbox)('switch', 'closures/odd');
      await whileWatching(sandbox, [], async ({ until }) => {
        rmSync(sandbox.on('/run/filesystem-overlay'));
        await until((seen) => inShort(seen).includes('drift /run/filesystem-overlay'));
        rmSync(sandbox.on('/etc/a\\x2db.d/x'));
        await until((seen) => inShort(seen).includes('drift /etc/a\\x2db.d/x'));
        rmSync(Buffer.from(sandbox.on('/etc/bytes-\xff.d/x'), 'latin1'));
        await until((seen) => seen.some(({ path }) => path === '/etc/bytes-\udcff.d/x'));
      });
    });
  });

  test('what another activate does is no drift, and the paths of the new generation are watched', async () => {
    await withGeneration(async (sandbox) => {
      await whileWatching(sandbox, [], async ({ until, lines }) => {
        writeClosure(sandbox, 'three', { 'etc/new/file': 'new\n' });
        for (const target of ['closures/two', 'closures/one', 'closures/three'])
          await insistOn(sandbox)('switch', target);
        await until((seen) => seen.at(-1)?.['generation'] === 4);
        rmSync(sandbox.on('/etc/new/file'));
        await until((seen) => seen.at(-1)?.event === 'drift');
        expect(lines().filter(({ event }) => event !== 'watching')).toHaveLength(1);
      });
    });
  });

  test('begins where nothing is managed, and says what a transition left behind', async () => {
    await withSandbox(async (sandbox) => {
      writeClosure(sandbox, 'one', { 'etc/motd': 'motd\n' });
      await whileWatching(sandbox, [], async ({ until, lines }) => {
        expect(lines()[0]).toMatchObject({ event: 'watching', generation: 0 });
        await insistOn(sandbox)('switch', 'closures/one');
        await until((seen) => seen.at(-1)?.['generation'] === 1);
        const journal = sandbox.on('/var/lib/activate/transition.json');
        writeFileSync(journal, '{}');
        await until((seen) => seen.at(-1)?.event === 'interrupted');
        rmSync(journal);
        rmSync(sandbox.on('/etc/motd'));
        await until((seen) => seen.at(-1)?.event === 'drift');
      });
    });
  });

  test('begins where a transition was interrupted, and sees the end of that', async () => {
    await withGeneration(async (sandbox) => {
      const journal = sandbox.on('/var/lib/activate/transition.json');
      writeFileSync(journal, '{}');
      await whileWatching(sandbox, [], async ({ until, lines }) => {
        expect(inShort(lines())).toEqual(['interrupted']);
        rmSync(journal);
        await until((seen) => seen.at(-1)?.event === 'watching');
      });
    });
  });

  test('says of a damaged record what is wrong, and goes on once that is mended', async () => {
    await withGeneration(async (sandbox) => {
      const record = sandbox.on('/var/lib/activate/generations/1/manifest.json');
      const before = readFileSync(record);
      await whileWatching(sandbox, [], async ({ until }) => {
        replace(record, '{}');
        await until((seen) => seen.at(-1)?.event === 'failed');
        replace(record, before.toString());
        rmSync(sandbox.on('/etc/motd'));
        await until((seen) => seen.at(-1)?.event === 'drift');
      });
    });
  });
});

describe('watch --repair', () => {
  test('puts drift right, keeps what was there, and leaves a path alone for a minute then', async () => {
    await withGeneration(async (sandbox) => {
      let later = 0;
      const elapsed = (): number => performance.now() + later;
      await whileWatching(
        sandbox,
        ['--repair'],
        async ({ until, lines }) => {
          writeFileSync(sandbox.on('/etc/copy'), 'first\n');
          await until((seen) => repairs(seen) === 1);
          expect(lines().at(-1)).toMatchObject({ event: 'repaired', path: '/etc/copy', backup: 1, generation: 1 });
          expect(readFileSync(sandbox.on('/etc/copy'), 'utf8')).toBe('copy one\n');
          writeFileSync(sandbox.on('/etc/copy'), 'second\n');
          await until((seen) => seen.at(-1)?.event === 'held back');
          expect(lines().at(-1)).toMatchObject({ path: '/etc/copy', generation: 1 });
          expect(lines().at(-1)?.['seconds']).toBeWithin(40, 61);
          // Another path does not have to wait.
          rmSync(sandbox.on('/etc/motd'));
          await until((seen) => repairs(seen) === 2);
          expect(readFileSync(sandbox.on('/etc/copy'), 'utf8')).toBe('second\n');
          later = 61_000;
          rmSync(sandbox.on('/etc/d/x'));
          await until((seen) => repairs(seen) === 4);
          expect(readFileSync(sandbox.on('/etc/copy'), 'utf8')).toBe('copy one\n');
          expect(inShort(lines()).filter((line) => line.startsWith('held back'))).toEqual(['held back /etc/copy']);
        },
        elapsed,
      );
      expect(await insistOn(sandbox)('verify')).toContain('as recorded.');
    });
  });

  test('puts right what it can where a policy forbids the rest, which it says once', async () => {
    await withSandbox(async (sandbox) => {
      const strict = 'schema = 1\n[[path]]\nmatch = "/etc/strict"\non-drift = "refuse"\n';
      writeClosure(sandbox, 'one', { 'etc/strict': 's\n', 'etc/motd': 'm\n', 'activation.toml': strict });
      await insistOn(sandbox)('switch', 'closures/one');
      await whileWatching(sandbox, ['--repair'], async ({ until, lines }) => {
        replace(sandbox.on('/etc/strict'), 'mine\n');
        await until((seen) => inShort(seen).includes('in the way /etc/strict'));
        rmSync(sandbox.on('/etc/motd'));
        await until((seen) => inShort(seen).includes('repaired /etc/motd'));
        expect(readFileSync(sandbox.on('/etc/strict'), 'utf8')).toBe('mine\n');
        expect(inShort(lines()).filter((line) => line.endsWith('/etc/strict'))).toHaveLength(3);
      });
    });
  });

  test.each(['--repair', '--follow closures --switch'])('%s is for root alone', async (flags) => {
    await withGeneration(async ({ root }) => {
      const ran = await runActivate(['--root', root, 'watch', ...flags.split(' ')], {
        workingDirectory: root,
        uid: 1000,
      });
      expect(ran).toEqual({
        status: 77,
        stdout: '',
        stderr: 'activate: only root may change what is watched\nRun it as root, or without --repair and --switch.\n',
      });
    });
  });
});

describe('watch --follow', () => {
  test('compares the machine with each new closure that a link leads to', async () => {
    await withGeneration(async (sandbox) => {
      symlinkSync('closures/one', sandbox.on('/profile'));
      await whileWatching(sandbox, ['--follow', 'profile'], async ({ until, lines }) => {
        symlinkSync('closures/two', sandbox.on('/next'));
        renameSync(sandbox.on('/next'), sandbox.on('/profile'));
        await until((seen) => seen.some(({ event }) => event === 'new closure'));
        expect(lines().at(-1)).toMatchObject({
          closure: sandbox.on('/closures/two'),
          from: 1,
          to: 2,
          changes: [{ path: '/etc/copy', status: 'M' }],
          conflicts: [],
        });
      });
    });
  });

  test.each([
    [[], ' etc/copy | 2 +-\n 1 path changed, 1 insertion(+), 1 deletion(-)\n'],
    [['--name-status'], 'M\t/etc/copy\n'],
  ])('prints what a new closure would change, with %j, and logs what drifts with fields', async (flags, printed) => {
    await withGeneration(async (sandbox) => {
      symlinkSync('closures/one', sandbox.on('/profile'));
      let stdout = '';
      const logged: string[] = [];
      const take = (message: string, fields: object = {}): void =>
        void logged.push(`${message} ${JSON.stringify(fields)}`);
      const ending = new AbortController();
      const argv = ['--root', sandbox.root, 'watch', '--follow', 'profile', ...flags];
      const finished = runActivate(argv, {
        workingDirectory: sandbox.root,
        signal: ending.signal,
        log: { debug: take, info: take, warn: take, error: take },
        write: (text) => void (stdout += text),
      });
      await waitFor(
        () => logged.length === 1,
        () => logged.join('\n'),
      );
      symlinkSync('closures/two', sandbox.on('/next'));
      renameSync(sandbox.on('/next'), sandbox.on('/profile'));
      await waitFor(
        () => stdout !== '',
        () => logged.join('\n'),
      );
      rmSync(sandbox.on('/etc/motd'));
      await waitFor(
        () => logged.length === 3,
        () => logged.join('\n'),
      );
      ending.abort('SIGTERM');
      expect((await finished).status).toBe(0);
      expect(stdout).toBe(printed);
      expect(logged[2]).toBe('drift {"path":"/etc/motd","what":"it is gone","generation":1}');
    });
  });

  test('switches to each bundle that is put into a directory, and says why one cannot be used', async () => {
    await withGeneration(async (sandbox) => {
      mkdirSync(sandbox.on('/bundles'));
      for (const name of ['one', 'two'])
        await insistOn(sandbox)('generate', `closures/${name}`, '--output', `made/${name}`);
      renameSync(sandbox.on('/made/one'), sandbox.on('/bundles/one'));
      await whileWatching(sandbox, ['--follow', 'bundles', '--switch'], async ({ until, lines }) => {
        mkdirSync(sandbox.on('/bundles/broken'));
        writeFileSync(sandbox.on('/bundles/broken/bundle.json'), '{}');
        await until((seen) => seen.at(-1)?.event === 'failed');
        renameSync(sandbox.on('/made/two'), sandbox.on('/bundles/two'));
        await until((seen) => seen.some(({ event }) => event === 'switched'));
        await until((seen) => seen.at(-1)?.event === 'watching');
        expect(inShort(lines()).filter((line) => line !== 'watching')).toEqual([
          `failed ${sandbox.on('/bundles/broken/bundle.json')}`,
          'switched',
        ]);
        expect(readFileSync(sandbox.on('/etc/copy'), 'utf8')).toBe('copy two\n');
      });
    });
  });

  test.each([
    ['--switch', '--switch and --name-status are for what is followed'],
    ['--name-status', '--switch and --name-status are for what is followed'],
    ['--follow etc/passwd', 'this is neither a link nor a directory'],
    ['--follow nothing', 'this is neither a link nor a directory'],
  ])('%s is wrong usage', async (flags, message) => {
    await withGeneration(async (sandbox) => {
      writeFileSync(sandbox.on('/etc/passwd'), '');
      const { status, stderr } = await activateOn(sandbox)('watch', ...flags.split(' '));
      expect(status).toBe(2);
      expect(stderr).toContain(message);
    });
  });
});
