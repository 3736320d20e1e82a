import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { differences, type Look } from '../support/disks/look';
import { fill, giveSpaceBack, peakOf, type Shortage } from '../support/disks/space';
import { traceActivate } from '../support/disks/tracing';
import {
  type DiskMachine,
  makeStocks,
  openDiskMachine,
  stockOf,
  type Transition,
  transitions,
  withCopy,
} from '../support/disks/disks';

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
    // What is used at most is only sampled: the last amount is plenty.
    for (const left of [...amountsTo(peak * 1.2 + 4), peak * 4 + 256]) {
      const { status, where, wrong } = await withCopy(machine, stock, (root) =>
        trySwitch({ shortage, root, left, args, after }),
      );
      expect({ left, where, wrong }).toEqual({ left, where, wrong: [] });
      // 74 where not even the journal could be written, so that there was nothing to undo.
      expect([0, 4, 74]).toContain(status);
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

describe('where /var lacks blocks for what is kept as a backup', () => {
  const shortage: Shortage = { layout: '/etc and /var apart', on: '/var', of: 'blocks' };
  const transition = 'a switch to another closure';
  const stock = stockOf(transition, shortage.layout);
  const args = transitions[transition];

  test('a switch that is killed while it is undone is recovered from', async () => {
    const { peak, after } = await withCopy(machine, stock, async (root) => {
      const most = await peakOf(machine, root, shortage, args);
      return { peak: most, after: machine.lookAt(root) };
    });
    const ends: Record<string, number> = {};
    for (let left = Math.round(peak * 0.7); left <= peak; left += Math.ceil(peak / 2 / AMOUNTS)) {
      const stops = await withCopy(machine, stock, (root) => stopsWhileUndoing({ shortage, root, left, args, after }));
      for (const at of stops) {
        const { end, wrong } = await withCopy(machine, stock, (root) =>
          tryKilled({ shortage, root, left, args, after }, at),
        );
        expect({ left, ...at, end, wrong }).toEqual({ left, ...at, end, wrong: [] });
        ends[end] = (ends[end] ?? 0) + 1;
      }
    }
    console.log(`killed while undoing for lack of space: ${JSON.stringify(ends)}`);
    expect(Object.keys(ends)).not.toEqual([]);
  });
});

interface Stop {
  readonly stop: number;
  readonly call: string;
}

/** The system calls from where the space was used up in or after the swap; none where it was enough, or used up before. */
async function stopsWhileUndoing({ shortage, root, left, args }: Trial): Promise<readonly Stop[]> {
  await fill(machine, root, shortage, left);
  const stops: Stop[] = [];
  let isSwapped = false;
  const full = [...args, '--root', root];
  await traceActivate(machine, full, (stop, call) => {
    isSwapped ||= call.includes('RENAME_EXCHANGE');
    if (stops.length > 0 || (isSwapped && call.includes('ENOSPC'))) stops.push({ stop, call });
    return 'go on';
  });
  const every = Math.ceil(stops.length / AMOUNTS);
  return stops.filter((_, index) => index % every === 0);
}

async function tryKilled(
  { shortage, root, left, args, after }: Trial,
  at: Stop,
): Promise<{ end: string; wrong: readonly string[] }> {
  const before = machine.lookAt(root);
  await fill(machine, root, shortage, left);
  await traceActivate(machine, [...args, '--root', root], (stop) => (stop === at.stop ? 'kill' : 'go on'));
  await giveSpaceBack(machine, root, shortage);
  const { status, stdout, stderr } = await machine.activateAt(root, 'resume', '--json', '--wait', '60');
  if (status !== 0 || stderr !== '') return { end: 'stuck', wrong: [`status ${status}: ${stderr}`] };
  const { state } = JSON.parse(stdout) as { state: string };
  const wanted = state === 'finished' ? { ...after, times: false } : { ...before, times: true };
  return { end: state, wrong: differences(wanted, machine.lookAt(root)) };
}
