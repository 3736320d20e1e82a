import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import fc from 'fast-check';
import { anyClosure, anyTree } from '../support/model-closure';
import { anyAct, beginHistory, live } from '../support/model-history';
import { readFiles } from '../support/model-machine';
import { newModel } from '../support/model-state';
import { removeTree, type Sandbox } from '../support/sandbox';
import { type Tree, writeTree } from '../support/trees';

const RUNS = Number(process.env['RUNS'] ?? 500);
const SEED = process.env['SEED'] === undefined ? Date.now() % 2 ** 31 : Number(process.env['SEED']);

const anyHistory = fc.record({
  machine: anyTree,
  closures: fc.array(anyClosure, { minLength: 2, maxLength: 3 }),
  acts: fc.array(anyAct, { minLength: 5, maxLength: 14, size: 'max' }),
});

test('after every step of any history the machine is what a small model says', async () => {
  const tally: Record<string, number> = {};
  await fc.assert(
    fc.asyncProperty(anyHistory, async ({ machine, closures, acts }) => {
      await onSandbox(machine, async (sandbox) => {
        const model = newModel(readFiles(sandbox.on('/etc'), '/etc'));
        const history = beginHistory(sandbox, closures, model, tally);
        for (const act of acts) expect({ act, wrong: await live(history, act) }).toEqual({ act, wrong: [] });
      });
    }),
    { numRuns: RUNS, seed: SEED, endOnFailure: false, interruptAfterTimeLimit: 1_500_000, ...pathOf() },
  );
  console.log(`seed ${SEED}: ${RUNS} histories: ${JSON.stringify(tally)}`);
}, 1_800_000);

/** Where a failure was found, as its message says: only that one is tried again. */
function pathOf(): { path?: string } {
  const path = process.env['SEED_PATH'];
  return path === undefined ? {} : { path };
}

/** In memory, where it can be: thousands of switches are synced. */
async function onSandbox(machine: Tree, task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : '/var/tmp';
  const root = mkdtempSync(`${parent}/activate-model-`);
  try {
    for (const directory of ['etc', 'run', 'var/lib']) mkdirSync(`${root}/${directory}`, { recursive: true });
    writeTree(`${root}/etc`, machine);
    await task({ root, on: (path) => root + path, remove: () => undefined });
  } finally {
    removeTree(root);
  }
}
