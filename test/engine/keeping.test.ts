import { describe, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ActivateError } from '../../src/core/errors';
import { collectGarbage } from '../../src/engine/collecting';
import { withMachine } from '../../src/engine/state/machine';
import { resume } from '../../src/engine/switching';
import { carryOut } from '../../src/engine/transition/transition';
import { closureAt, contextOn, switchOn, withPrepared } from '../support/engine';
import { testFor } from '../support/overlay';
import { type Sandbox, withSandbox } from '../support/sandbox';

/** Writes a tree closure with files alone, by their paths below etc. */
function closure(sandbox: Sandbox, name: string, files: Readonly<Record<string, string>>, policy?: string): string {
  const top = join(sandbox.root, 'closures', name);
  mkdirSync(join(top, 'etc'), { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(top, 'etc', path, '..'), { recursive: true });
    writeFileSync(join(top, 'etc', path), text);
  }
  if (policy !== undefined) writeFileSync(join(top, 'activation.toml'), policy);
  return top;
}

function backups(sandbox: Sandbox): string[] {
  const top = sandbox.on('/var/lib/activate/backups');
  return readdirSync(top).map((number) => readFileSync(join(top, number, 'content'), 'utf8'));
}

async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
    return 'done';
  } catch (error) {
    return error instanceof ActivateError ? error.code : String(error);
  }
}

describe("the machine's own", () => {
  test('that was kept in a directory of ours becomes a backup when the directory goes', async () => {
    await withSandbox(async (sandbox) => {
      await switchOn(sandbox.root, closureAt(closure(sandbox, '1', { 'd/f': 'ours\n', 'd/g': 'ours\n' })));
      rmSync(sandbox.on('/etc/d/f'));
      writeFileSync(sandbox.on('/etc/d/f'), 'mine\n');
      const next = closure(sandbox, '2', { 'd/f': 'newer\n', 'd/g': 'ours\n' });
      await switchOn(sandbox.root, closureAt(next), { onDrift: 'keep' });
      await switchOn(sandbox.root, closureAt(closure(sandbox, '3', { d: 'a file now\n' })));
      expect(backups(sandbox)).toEqual(['mine\n']);
    });
  });

  test('comes back where the path becomes a seed, and stays when that is not named any more', async () => {
    await withSandbox(async (sandbox) => {
      writeFileSync(sandbox.on('/etc/name'), 'own\n');
      const seed = 'schema = 1\n[[path]]\nmatch = "/etc/name"\nplace = "seed"\n';
      await switchOn(sandbox.root, closureAt(closure(sandbox, '1', { name: 'built\n' })), { onConflict: 'backup' });
      await switchOn(sandbox.root, closureAt(closure(sandbox, '2', { name: 'seeded\n', other: '' }, seed)));
      expect(readFileSync(sandbox.on('/etc/name'), 'utf8')).toBe('own\n');
      await switchOn(sandbox.root, closureAt(closure(sandbox, '3', { other: '' })));
      await switchOn(sandbox.root, { kind: 'generation', number: 0 });
      expect([readdirSync(sandbox.on('/etc')), readFileSync(sandbox.on('/etc/name'), 'utf8')]).toEqual([
        ['name'],
        'own\n',
      ]);
    });
  });

  test('that was taken over before is taken over again by a rollback, without a flag', async () => {
    await withSandbox(async (sandbox) => {
      writeFileSync(sandbox.on('/etc/motd'), 'own\n');
      await switchOn(sandbox.root, closureAt(closure(sandbox, '1', { motd: 'built\n' })), { onConflict: 'backup' });
      await switchOn(sandbox.root, closureAt(closure(sandbox, '2', { other: '' })));
      expect((await switchOn(sandbox.root, { kind: 'previous' })).state).toBe('done');
    });
  });

  test('in a directory that a failing switch had made stays, with the directory', async () => {
    await withSandbox(async (sandbox) => {
      const context = contextOn(sandbox.root);
      const wanted = closureAt(closure(sandbox, '1', { 'new/f': 'ours\n' }));
      const failing = withMachine(context, (machine) =>
        withPrepared({ context, machine }, wanted, (prepared) =>
          carryOut(context, machine, prepared, 'live', (perform) => async (step) => {
            if (step.op === 'point' && step.to !== undefined) {
              writeFileSync(sandbox.on('/etc/new/mine'), 'mine\n');
              throw new Error('the disk is on fire');
            }
            await perform(step);
          }),
        ),
      );
      expect(await codeOf(() => failing)).toBe('FAILED');
      expect(readdirSync(sandbox.on('/etc/new'))).toEqual(['mine']);
    });
  });
});

describe('a source that the policy makes secret', () => {
  testFor(['tree'], 'it is about the copy that a generation has', 'is secret in the generation as well', async () => {
    await withSandbox(async (sandbox) => {
      const policy = 'schema = 1\n[[path]]\nmatch = "/etc/key"\nplace = "copy"\nmode = "0600"\n';
      await switchOn(sandbox.root, closureAt(closure(sandbox, '1', { key: 'secret\n' }, policy)));
      const modes = ['/etc/key', '/var/lib/activate/generations/1/tree/etc/key'].map(
        (path) => statSync(sandbox.on(path)).mode & 0o7777,
      );
      expect(modes).toEqual([0o600, 0o600]);
    });
  });
});

test('gc waits until an interrupted transition is resumed', async () => {
  await withSandbox(async (sandbox) => {
    for (const name of ['1', '2'])
      await switchOn(sandbox.root, closureAt(closure(sandbox, name, { f: name, [name]: '' })));
    const context = contextOn(sandbox.root);
    await withMachine(context, (machine) =>
      withPrepared({ context, machine }, { kind: 'generation', number: 1 }, async (prepared) => {
        const { promise: dead, resolve: die } = Promise.withResolvers<void>();
        const transition = carryOut(context, machine, prepared, 'live and default', (perform) => async (step) => {
          if (step.op !== 'remove') return perform(step);
          die();
          return new Promise<void>(() => undefined);
        });
        await Promise.race([dead, transition]);
      }),
    );
    const options = { keep: 1, olderThanMs: undefined };
    expect(await codeOf(() => collectGarbage(context, options))).toBe('REFUSED');
    expect(await resume(context)).toEqual({ state: 'finished', from: 2, to: 1, live: 1 });
    expect((await collectGarbage(context, options)).map(({ number }) => number)).toEqual([]);
  });
});
