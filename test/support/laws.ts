import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { planSteps } from '../../src/core/plan/plan';
import { closureAt, planOn } from './engine';
import { type Sandbox, withSandbox } from './sandbox';
import { type Seen, takeSnapshot } from './snapshot';
import { randomTree, type Tree, writeTree } from './trees';

const RUNS = Number(process.env['RUNS'] ?? 40);
export const backup = { onConflict: 'backup', onDrift: 'backup' } as const;

/** Writes a tree closure next to the root and returns where it is. */
function writeClosure(sandbox: Sandbox, name: string, tree: Tree): string {
  const closure = `${sandbox.root}-${name}`;
  mkdirSync(join(closure, 'etc'), { recursive: true });
  writeTree(join(closure, 'etc'), tree);
  return closure;
}

export function seeEtc(sandbox: Sandbox): Seen[] {
  return takeSnapshot(sandbox.on('/etc'));
}

/** Runs a law over a machine and closures that are random trees. */
export async function hold(
  closures: number,
  law: (sandbox: Sandbox, closures: string[]) => Promise<void>,
  numRuns: number = RUNS,
): Promise<void> {
  const trees = fc.tuple(randomTree, fc.array(randomTree, { minLength: closures, maxLength: closures }));
  await fc.assert(
    fc.asyncProperty(trees, async ([machine, wanted]) => {
      await withSandbox(async (sandbox) => {
        writeTree(sandbox.on('/etc'), machine);
        const paths = wanted.map((tree, index) => writeClosure(sandbox, String(index), tree));
        try {
          await law(sandbox, paths);
        } finally {
          for (const path of paths) Bun.spawnSync(['rm', '-rf', path]);
        }
      });
    }),
    { numRuns, endOnFailure: true },
  );
}

/** All of a few steps, a sample of many. */
export function stepsToTry(steps: number): number[] {
  const all = Array.from({ length: steps }, (_, index) => index);
  return all.filter((index) => steps <= 6 || index % Math.ceil(steps / 6) === 0 || index === steps - 1);
}

/** How many steps a switch to a closure has. */
export async function countSteps(sandbox: Sandbox, closure: string): Promise<number> {
  const prepared = await planOn(sandbox.root, closureAt(closure), backup);
  const terms = {
    firstBackup: 1,
    timeOf: () => undefined,
    earlierTimeOf: () => undefined,
    ownershipOf: () => undefined,
    self: 0,
    token: 'x',
  };
  const pointer = { from: prepared.state.pointer, to: prepared.to.overlay };
  const { create, swap, remove } = planSteps(prepared.decisions, { ...terms, pointer });
  return create.length + swap.length + remove.length;
}

/** Seeds, and directories that had to be made for them, stay: they are the machine's own from then on. */
export function withoutSeeds(seen: Seen[]): Seen[] {
  return seen.filter(({ path }) => !/(?:^|\/)passwd(?:\/|$)/u.test(path));
}
