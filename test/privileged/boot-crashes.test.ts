import { beforeAll, describe, expect, test } from 'bun:test';
import { resume } from '../../src/engine/switching';
import { bootSandbox } from '../support/boot';
import { writeContents } from '../support/closures';
import { crashAt } from '../support/crash';
import { closureAt, contextOn, switchOn } from '../support/engine';
import { backup, countSteps, seeEtc, stepsToTry } from '../support/laws';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, type Seen } from '../support/snapshot';
import { closures, own, policy } from '../support/vm/power/closures';

// Kinds change, originals are taken over and come back: what a boot after a crash has to get right, and all that follows.

const names = Object.keys(closures);
/** What /etc looks like where a closure is live; nothing is without one. */
const sights = new Map<string, Seen[]>();

function withMachine(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  return withSandbox(async (sandbox) => {
    writeContents(sandbox.on('/etc'), own);
    for (const [name, contents] of Object.entries(closures))
      writeContents(sandbox.on(`/closures/${name}`), { 'activation.toml': policy, ...contents });
    await task(sandbox);
  });
}

const at = (sandbox: Sandbox, name: string): ReturnType<typeof closureAt> => closureAt(sandbox.on(`/closures/${name}`));

const isAside = ({ path }: Seen): boolean => path.includes('/.activate.');

function wrong(sandbox: Sandbox, name: string): string[] {
  const seen = seeEtc(sandbox);
  const litter = seen.filter(isAside).map(({ path }) => `${path}: litter`);
  return [
    ...litter,
    ...compareSnapshots(
      sights.get(name) ?? [],
      seen.filter((each) => !isAside(each)),
      { times: false },
    ),
  ];
}

beforeAll(async () => {
  await withMachine(async (sandbox) => void sights.set('', seeEtc(sandbox)));
  for (const name of names)
    await withMachine(async (sandbox) => {
      await switchOn(sandbox.root, at(sandbox, name), backup);
      sights.set(name, seeEtc(sandbox));
    });
});

/** What is cut off: a `test`, a `switch`, or a `switch` to what the next boot shows already. */
const verbs = ['test', 'switch', 'boot and switch'] as const;

async function stepsBetween(from: string, to: string): Promise<number[]> {
  let steps = 0;
  await withMachine(async (sandbox) => {
    await switchOn(sandbox.root, at(sandbox, from), backup);
    steps = await countSteps(sandbox, sandbox.on(`/closures/${to}`));
  });
  // A third of them, not the same for all: each takes some seconds. EVERY=1 tries all.
  const every = Number(process.env['EVERY'] ?? 3);
  return stepsToTry(steps).filter((_, index) => (index + names.indexOf(from) + names.indexOf(to)) % every === 0);
}

describe.each([...verbs])('where a %s is cut off', (verb) => {
  const scope = verb === 'test' ? 'live' : 'live and default';
  const pairs = names.flatMap((from) => names.filter((to) => to !== from).map((to) => [from, to] as const));

  test.each(pairs)('from %s to %s, the boot, resume and what follows leave all as it is to be', async (from, to) => {
    const problems: string[] = [];
    for (const step of await stepsBetween(from, to)) {
      await withMachine(async (sandbox) => {
        await switchOn(sandbox.root, at(sandbox, from), backup);
        if (verb === 'boot and switch') await switchOn(sandbox.root, at(sandbox, to), backup, 'default');
        if ((await crashAt(sandbox, sandbox.on(`/closures/${to}`), { at: step, scope })) !== 'crashed') return;
        const { status, stderr, record } = bootSandbox(sandbox);
        const say = (when: string, what: readonly string[]): void =>
          void problems.push(...what.map((each) => `step ${step}, ${when}: ${each}`));
        if (status !== 0) say('boot', [stderr]);
        await resume(contextOn(sandbox.root));
        const shown = record?.['chosen'] === 1 ? from : to;
        say(`resumed to ${shown}`, wrong(sandbox, shown));
        for (const next of names.filter((each) => each !== shown)) {
          await switchOn(sandbox.root, at(sandbox, next), backup);
          say(`then ${next}`, wrong(sandbox, next));
        }
        await switchOn(sandbox.root, { kind: 'generation', number: 0 }, backup);
        say('given back', wrong(sandbox, ''));
      });
    }
    expect(problems).toEqual([]);
  });
});
