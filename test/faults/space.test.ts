import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { differences, type Look } from '../support/disk-look';
import { fill, giveSpaceBack, peakOf, type Shortage } from '../support/disk-space';
import {
  type DiskMachine,
  makeStocks,
  openDiskMachine,
  stockOf,
  type Transition,
  transitions,
  withCopy,
} from '../support/disks';

/** How many amounts of free space each transition is tried with. */
const AMOUNTS = Number(process.env['AMOUNTS'] ?? 8);

const shortages: readonly Shortage[] = [
  { layout: 'one filesystem', on: '/', of: 'blocks' },
  { layout: 'one filesystem', on: '/', of: 'inodes' },
  { layout: '/etc and /var apart', on: '/etc', of: 'blocks' },
  { layout: '/etc and /var apart', on: '/etc', of: 'inodes' },
  { layout: '/etc and /var apart', on: '/var', of: 'blocks' },
  { layout: '/etc and /var apart', on: '/var', of: 'inodes' },
];

let machine: DiskMachine;
beforeAll(async () => {
  machine = await openDiskMachine();
  await makeStocks(machine, '-N 512');
});
afterAll(async () => machine.close());

describe.each([...shortages])('where $on lacks $of: $layout', (shortage) => {
  test.each(Object.keys(transitions) as Transition[])('%s is carried out, or undone at once', async (transition) => {
    const stock = stockOf(transition, shortage.layout);
    const args = transitions[transition];
    const { peak, after } = await withCopy(machine, stock, async (root) => {
      const most = await peakOf(machine, root, shortage, args);
      return { peak: most, after: machine.lookAt(root) };
    });
    const ends: Record<string, number> = {};
    for (const left of amountsTo(peak * 1.2 + 4)) {
      const { status, where, wrong } = await withCopy(machine, stock, (root) =>
        trySwitch({ shortage, root, left, args, after }),
      );
      expect({ left, status, where, wrong }).toEqual({ left, status: status === 0 ? 0 : 4, where, wrong: [] });
      ends[where] = (ends[where] ?? 0) + 1;
    }
    console.log(`${shortage.layout}, ${shortage.on} lacks ${shortage.of}, ${transition}: ${JSON.stringify(ends)}`);
    expect(Object.keys(ends)).toContain('done');
    expect(Object.keys(ends).length).toBeGreaterThan(1);
  });
});

function amountsTo(most: number): number[] {
  return [...new Set(Array.from({ length: AMOUNTS }, (_, index) => Math.round((most * index) / (AMOUNTS - 1))))];
}

interface Trial {
  readonly shortage: Shortage;
  readonly root: string;
  readonly left: number;
  readonly args: readonly string[];
  readonly after: Look;
}

interface End {
  readonly status: number;
  readonly where: string;
  /** What is neither as it was nor as it was to be. */
  readonly wrong: readonly string[];
}

async function trySwitch({ shortage, root, left, args, after }: Trial): Promise<End> {
  const before = machine.lookAt(root);
  await fill(machine, root, shortage, left);
  const { status, stderr } = await machine.activateAt(root, ...args);
  await giveSpaceBack(machine, root, shortage);
  const wanted = status === 0 ? { ...after, times: false } : { ...before, times: true };
  return { status, where: whereOf(stderr), wrong: differences(wanted, machine.lookAt(root)) };
}

/** What was being done when the space was used up. */
function whereOf(stderr: string): string {
  if (stderr === '') return 'done';
  if (stderr.includes('could not note in the journal')) return 'swap or later';
  if (stderr.includes('transition.json')) return 'journal';
  if (stderr.includes('systemd-tmpfiles did not create')) return 'create: systemd-tmpfiles';
  if (/\/etc\/(?:\S+\/)?\.activate\./u.test(stderr)) return 'create: what is staged';
  if (/\/etc\//u.test(stderr.replace(/\/var\/\S*/gu, ''))) return 'create';
  return 'stage';
}
