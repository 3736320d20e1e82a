import { expect, test } from 'bun:test';
import { lstatSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../../src/core/plan/step';
import { withMachine } from '../../src/engine/state/machine';
import { carryOut } from '../../src/engine/transition/transition';
import { activateOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { closureAt, contextOn, switchOn, withPrepared } from '../support/engine';
import { crash } from '../support/model/machine';
import { type Sandbox, withSandbox } from '../support/sandbox';

// Somebody edits what a switch has just placed, or is about to replace. No edit is lost: it is in its place or a backup.

const policy = 'schema = 1\n[[path]]\nmatch = "*.copy"\nplace = "copy"\n';

/** Switches; `before` is done before, `after` after each step, and may throw to let the switch fail. */
async function switchWith(
  sandbox: Sandbox,
  to: string,
  before: (step: Step) => void,
  after: (step: Step) => void = () => undefined,
): Promise<void> {
  const context = contextOn(sandbox.root);
  await withMachine(context, (machine) =>
    withPrepared({ context, machine }, closureAt(to), (prepared) =>
      carryOut(context, machine, prepared, 'live and default', (perform) => async (step) => {
        before(step);
        await perform(step);
        after(step);
      }),
    ),
  ).catch((error: unknown) => {
    if (!(error instanceof Error)) throw error;
  });
}

/** Everything that any file below /etc or among the backups holds, sorted. */
function contents(sandbox: Sandbox): string[] {
  return ['/etc', '/var/lib/activate/backups']
    .flatMap((top) => {
      const listed = lstatSync(sandbox.on(top), { throwIfNoEntry: false });
      return listed === undefined ? [] : readdirSync(sandbox.on(top), { recursive: true, withFileTypes: true });
    })
    .filter((entry) => entry.isFile() && entry.name !== 'backup.json')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'))
    .toSorted();
}

/** As most editors do: a new file takes the old one's place. */
function edit(path: string, text: string): void {
  writeFileSync(`${path}~`, text);
  renameSync(`${path}~`, path);
}

const old = { 'activation.toml': policy, 'etc/one.copy': 'one\n', 'etc/z': 'z\n', 'etc/zz': 'z\n' };
const next = { 'activation.toml': policy, 'etc/one.copy': 'new\n', 'etc/two.copy': 'two\n', 'etc/z': 'z\n' };

test.each([
  ['replaced', 'exchange', 'one.copy', ['edited\n']],
  ['new', 'place', 'two.copy', ['edited\n', 'one\n']],
] as const)('an edit of a %s copy outlives the switch that fails later', async (_, op, name, left) => {
  await withSandbox(async (sandbox) => {
    await switchOn(sandbox.root, closureAt(writeClosure(sandbox, '1', old)));
    let edited = false;
    const fail = (step: Step): void => {
      if (edited && step.op === 'remove') throw new Error('the disk is on fire');
    };
    await switchWith(sandbox, writeClosure(sandbox, '2', next), fail, (step) => {
      if (step.op !== op || edited) return;
      edited = true;
      edit(sandbox.on(`/etc/${name}`), 'edited\n');
    });
    expect(edited).toBe(true);
    expect(contents(sandbox)).toEqual(expect.arrayContaining([...left]));
  });
});

test.each(['rename', 'write'] as const)(
  'an edit (%s) that keeps size and time is not taken for what was there',
  async (how) => {
    await withSandbox(async (sandbox) => {
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, '1', old)));
      const path = sandbox.on('/etc/one.copy');
      await switchWith(sandbox, writeClosure(sandbox, '2', next), (step) => {
        if (step.op !== 'exchange') return;
        const clock = sandbox.on('/clock');
        expect(Bun.spawnSync(['cp', '--preserve=timestamps', path, clock]).exitCode).toBe(0);
        if (how === 'rename') edit(path, 'own\n');
        else writeFileSync(path, 'own\n');
        expect(Bun.spawnSync(['touch', `--reference=${clock}`, path]).exitCode).toBe(0);
      });
      expect(contents(sandbox)).toContain('own\n');
    });
  },
);

test.each(['park', 'remove'] as const)('an edit in place right before %s is kept or stops the switch', async (op) => {
  await withSandbox(async (sandbox) => {
    await switchOn(sandbox.root, closureAt(writeClosure(sandbox, '1', { ...old, 'etc/gone.copy': 'gone\n' })));
    const path = sandbox.on(op === 'park' ? '/etc/gone.copy' : '/etc/zz');
    await switchWith(sandbox, writeClosure(sandbox, '2', next), (step) => {
      if (step.op === op) edit(path, 'own\n');
    });
    expect(contents(sandbox)).toContain('own\n');
  });
});

const edited = ['one.copy', 'two.copy', 'z', 'zz', 'direct', 'dir/in', 'kind'];
const more = { 'etc/direct': { link: 'a' }, 'etc/dir/in': 'in\n', 'etc/kind': 'a file\n' };
const other = { 'etc/direct': { link: 'b' }, 'etc/dir': 'a file\n', 'etc/kind/in': 'in\n' };

test.each(edited)(
  'an edit of %s between a crash and its resume is not lost, and does not stop the machine for ever',
  async (name) => {
    const stuck: string[] = [];
    for (let at = 0; ; at += 1) {
      const end = await withSandbox(async (sandbox) => {
        await switchOn(sandbox.root, closureAt(writeClosure(sandbox, '1', { ...old, ...more })));
        const target = closureAt(writeClosure(sandbox, '2', { ...next, ...other }));
        const flags = { onConflict: 'backup', onDrift: 'backup' } as const;
        const crashed = await crash(sandbox, { target, scope: 'live and default', flags, at, fail: undefined });
        const isMade =
          lstatSync(join(sandbox.on('/etc'), name, '..'), { throwIfNoEntry: false })?.isDirectory() === true;
        const isDirectory = lstatSync(sandbox.on(`/etc/${name}`), { throwIfNoEntry: false })?.isDirectory() === true;
        if (crashed !== 'crashed' || !isMade || isDirectory) return crashed;
        edit(sandbox.on(`/etc/${name}`), 'own\n');
        const resumed = await activateOn(sandbox)('resume', '--wait', '60');
        if (!contents(sandbox).includes('own\n')) stuck.push(`lost at ${at}`);
        const switched = await activateOn(sandbox)(
          'switch',
          sandbox.on('/closures/2'),
          '--on-conflict=backup',
          '--on-drift=backup',
        );
        if (resumed.status !== 0 || switched.status !== 0) stuck.push(`at ${at}: ${resumed.stderr}${switched.stderr}`);
        if (!contents(sandbox).includes('own\n')) stuck.push(`lost after ${at}`);
        return crashed;
      });
      if (end !== 'crashed') break;
    }
    expect(stuck).toEqual([]);
  },
  120_000,
);
