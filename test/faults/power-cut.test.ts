import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { differences, type Look, OF_TESTS } from '../support/disks/look';
import {
  type DiskMachine,
  type Layout,
  layouts,
  makeStocks,
  mountScript,
  openDiskMachine,
  stockOf,
  TRIAL_IMAGES,
  type Transition,
  transitions,
  unmountScript,
  withCopy,
} from '../support/disks/disks';
import { compareSnapshots } from '../support/snapshot';
import { type Cut, collectCuts, layCut, type Writeback, type Written } from '../support/disks/power-cuts';

/** How many different cuts of each run are recovered from. */
const CUTS = Number(process.env['CUTS'] ?? 6);

const always =
  (...written: readonly Written[]): Writeback =>
  () =>
    written;

/** Now this, now that, the same in each run. */
const mixed: Writeback = (stop) => [0, 1].map((disk) => pick(Bun.hash(`${stop} ${disk}`)));
const pick = (hash: bigint | number): Written =>
  (['nothing', 'nothing', 'names', 'all'] as const)[Number(BigInt(hash) % 4n)] ?? 'all';

const writebacks: Readonly<Record<Layout, Readonly<Record<string, Writeback>>>> = {
  'one filesystem': {
    'only what was synced': always('nothing'),
    'names but not what is in files': always('names'),
    'everything so far': always('all'),
    'now this, now that': mixed,
  },
  '/etc and /var apart': {
    'only what was synced': always('nothing', 'nothing'),
    'names but not what is in files': always('names', 'names'),
    'all of /etc': always('all', 'nothing'),
    'all of /var': always('nothing', 'all'),
    'now this, now that': mixed,
  },
};

let machine: DiskMachine;
beforeAll(async () => {
  machine = await openDiskMachine();
  await makeStocks(machine, '');
});
afterAll(async () => machine.close());

test('what is copied from a disk is what a power cut leaves: nothing that was not written back', async () => {
  await withCopy(machine, stockOf('the first switch', 'one filesystem'), async (root) => {
    const image = machine.on(`${TRIAL_IMAGES}/all`);
    writeFileSync(machine.through(`${root}/${OF_TESTS}file`), 'written and not synced');
    expect(readFileSync(image).includes('written and not synced')).toBe(false);
    await machine.shell(`sync -f ${root}`);
    expect(readFileSync(image).includes('written and not synced')).toBe(true);
  });
});

describe.each([...layouts])('%s', (layout) => {
  describe.each(Object.keys(transitions) as Transition[])('a power cut during %s', (transition) => {
    test.each(Object.keys(writebacks[layout]))('that leaves %s is recovered from', async (name) => {
      const { cuts, stops, looks } = await cutWhile(layout, transition, writebacks[layout][name] ?? always());
      const ends: Record<string, number> = {};
      let last = '';
      for (const cut of sampleOf(cuts)) {
        const { end, wrong } = await recover(layout, cut, looks);
        expect({ stop: cut.stop, call: cut.call, end, wrong }).toEqual({
          stop: cut.stop,
          call: cut.call,
          end,
          wrong: [],
        });
        ends[end] = (ends[end] ?? 0) + 1;
        last = end;
      }
      // What was said to be done is done.
      expect(last).toBe('nothing to do: new');
      console.log(
        `${layout}, ${transition}, ${name}: ${stops} stops, ${cuts.length} different cuts: ${JSON.stringify(ends)}`,
      );
    });
  });
});

interface Looks {
  /** The machine's own, before anything was managed. */
  readonly own: Look;
  readonly old: Look;
  readonly fresh: Look;
}

async function cutWhile(
  layout: Layout,
  transition: Transition,
  writeback: Writeback,
): Promise<{ cuts: readonly Cut[]; stops: number; looks: Looks }> {
  const own = await withCopy(machine, stockOf('the first switch', layout), async (root) => machine.lookAt(root));
  return withCopy(machine, stockOf(transition, layout), async (root) => {
    const old = machine.lookAt(root);
    const { cuts, stops } = await collectCuts(machine, { layout, root, args: transitions[transition], writeback });
    return { cuts, stops, looks: { own, old, fresh: machine.lookAt(root) } };
  });
}

/** The first, the last, and some between, the closer the later: most system calls stage, and most can go wrong in the swap. */
function sampleOf(cuts: readonly Cut[]): Cut[] {
  if (cuts.length <= CUTS) return [...cuts];
  const steps = Array.from({ length: CUTS }, (_, index) =>
    Math.round((1 - (1 - index / (CUTS - 1)) ** 2) * (cuts.length - 1)),
  );
  const indices = new Set(steps);
  return cuts.filter((_, index) => indices.has(index));
}

/** Boots from what a cut left, and says how that ended and what is wrong then. */
async function recover(layout: Layout, cut: Cut, looks: Looks): Promise<{ end: string; wrong: readonly string[] }> {
  const [images, root] = ['/var/images/cut', '/var/cut'];
  await machine.shell(`mkdir -p ${images}`);
  layCut(machine, layout, images, cut);
  await machine.shell(mountScript(layout, images, root));
  try {
    const { status, stdout, stderr } = await machine.activateAt(root, 'resume', '--json', '--wait', '60');
    if (status !== 0 || stderr !== '') return { end: 'stuck', wrong: [`status ${status}: ${stderr}`] };
    const { state } = JSON.parse(stdout) as { state: string };
    const recovered = await showDefault(root, state);
    const [asOld, asNew] = [
      differences({ ...looks.old, times: true }, recovered),
      differences({ ...looks.fresh, times: false }, recovered),
    ];
    const [age, wrong] = asOld.length < asNew.length ? ['old', asOld] : ['new', asNew];
    const later = [...(await whatResumeChanges(root, recovered)), ...(await whatIsLost(root, recovered, looks.own))];
    return { end: `${state}: ${age}`, wrong: [...wrong, ...later] };
  } finally {
    await machine.shell(unmountScript(root));
  }
}

/** Where there was nothing to resume, it is the boot that makes the pointer. */
async function showDefault(root: string, state: string): Promise<Look> {
  const recovered = machine.lookAt(root);
  if (state !== 'nothing to do' || recovered.roles.default === 'none') return recovered;
  await machine.shell(`ln -s /var/lib/activate/${recovered.roles.default}/tree ${root}/run/filesystem-overlay`);
  return machine.lookAt(root);
}

async function whatResumeChanges(root: string, recovered: Look): Promise<string[]> {
  const said = await machine.insistAt(root, 'resume', '--json', '--wait', '60');
  const status = JSON.parse(await machine.insistAt(root, 'status', '--json')) as Record<string, unknown>;
  const { interrupted, drifted } = status;
  return [
    ...(Bun.deepEquals(JSON.parse(said), { schema: 1, state: 'nothing to do' }) ? [] : [`again: ${said}`]),
    ...(Bun.deepEquals({ interrupted, drifted }, { interrupted: null, drifted: [] }) ? [] : [JSON.stringify(status)]),
    ...differences({ ...recovered, times: true }, machine.lookAt(root)).map((each) => `again: ${each}`),
  ];
}

/** Goes on as if nothing had happened, and gives everything back: only seeds stay. */
async function whatIsLost(root: string, { roles }: Look, own: Look): Promise<string[]> {
  if (roles.live === 'none') await machine.insistAt(root, ...transitions['the first switch']);
  await machine.insistAt(root, 'rollback', '0');
  const { etc } = machine.lookAt(root);
  const left = etc.filter(({ path }) => !path.startsWith('/seeded'));
  return compareSnapshots(own.etc, left, { times: true }).map((each) => `given back: ${each}`);
}
