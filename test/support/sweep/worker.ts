import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { aboutOfCall, type Call, describeFault, type Fault } from './calls';
import { judge, lookBefore } from './judge';
import { prepare, scenarios } from './scenarios';
import { openStage } from './stage';

/** What sweeping a part of a scenario found. */
export interface Swept {
  /** How many calls that change something the whole scenario has, and how many faults were tried here. */
  readonly calls: number;
  readonly kills: number;
  readonly errors: number;
  /** How many errors of calls that look at something. */
  readonly looks: number;
  /** A text for each fault after which something was not as promised. */
  readonly lost: readonly string[];
  /** How often each kind of fault led to which exit status. */
  readonly ends: Readonly<Record<string, number>>;
}

/**
 * Some runs open a file more or less on behalf of the runtime, and what is counted is another call then: calls around it are
 * tried until one is the call that is meant.
 */
const OFFSETS = [0, 1, -1, 0, 2, -2, 0, 1, -1];
const MOST_TRIES = OFFSETS.length * 6;
/** A loop device goes a moment after the last one who used it. */
const MOST_TURNS = 100;
const ERRORS = ['ENOSPC', 'EIO', 'EACCES', 'EROFS', 'EMFILE'];

/** A disk that becomes read-only is tried at one of so many calls. */
const LASTING_EACH = 3;

// In a mount namespace of its own: `bun worker.ts DIRECTORY SCENARIO PART PARTS` sweeps each PARTS-th point.
const [directory = '', name = '', part = '0', parts = '1'] = process.argv.slice(2);
const scenario = scenarios[name];
if (scenario === undefined) throw new Error(`there is no scenario ${name}`);
const loopsBefore = imagesOnLoops().length;
const stage = openStage(directory, scenario.mounts ?? []);
const prepared = prepare(stage, scenario);
process.stdout.write(JSON.stringify(sweep()));

function sweep(): Swept {
  const ends: Record<string, number> = {};
  const lost: string[] = [];
  const counts = { kill: 0, error: 0, look: 0 };
  const points = sweptCalls().flatMap((call, index) => faultsOf(call, index).map((fault) => ({ call, fault })));
  const each = Number(parts) * (scenario?.sparse ?? 1);
  for (const { call, fault } of points.filter((_, index) => index % each === Number(part))) {
    const { status, problems } = hit(call, fault);
    const key = `${fault.kind}: ${status}`;
    ends[key] = (ends[key] ?? 0) + 1;
    if (problems.length > 0) lost.push(`${describeFault(call, fault)}\n    ${problems.join('\n    ')}`);
    counts[call.does === 'look' ? 'look' : fault.kind === 'kill' ? 'kill' : 'error'] += 1;
  }
  stage.reset();
  lost.push(...leftLoops());
  const calls = prepared.calls.filter(({ does }) => does === 'change').length;
  return { calls, kills: counts.kill, errors: counts.error, looks: counts.look, lost, ends };
}

/** The images that have a loop device, on any machine that was here. */
function imagesOnLoops(): string[] {
  return readdirSync('/sys/block')
    .map((name) => `/sys/block/${name}/loop/backing_file`)
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8').trim())
    .filter((file) => /\.(?:squashfs|erofs)(?: \(deleted\))?$/u.test(file));
}

/** Those that were not there at first; what is live now may have one. */
function leftLoops(): string[] {
  for (let turn = 1; ; turn += 1) {
    const loops = imagesOnLoops();
    if (loops.length <= loopsBefore + 1) return [];
    if (turn === MOST_TURNS) return loops.map((file) => `a loop device is left: ${file}`);
    Bun.sleepSync(50);
  }
}

/** All that change something, and those that look at something from the swap on: before it, there is nothing to be undone. */
function sweptCalls(): Call[] {
  const { calls, isResume } = prepared;
  const swap = isResume ? 0 : calls.findIndex(({ name }) => name === 'syncfs');
  return calls.filter(({ does }, index) => does === 'change' || (scenario?.looks === true && index > swap));
}

/** Each error at each call; where `activate` sees no difference, as with those of cp, each error has its turn. */
function faultsOf({ does, program, about }: Call, index: number): Fault[] {
  const isStaging = program.startsWith('cp.') && about.includes('/.staging-');
  const inTurn = { kind: 'error', errno: ERRORS[index % ERRORS.length] ?? '' } as const;
  if (does === 'look') return [inTurn];
  if (scenario?.errors === 'in turn') return isStaging ? [] : [{ kind: 'kill' }, inTurn];
  if (isStaging) return [{ kind: 'kill' }, inTurn];
  const errors = ERRORS.map((errno) => ({ kind: 'error', errno }) as const);
  if (program !== 'activate') return [{ kind: 'kill' }, ...errors, { kind: 'kill the child' }];
  const lasting = index % LASTING_EACH === 0 ? [{ kind: 'errors from there on', errno: 'EROFS' } as const] : [];
  return [{ kind: 'kill' }, ...errors, ...lasting];
}

function hit(call: Call, fault: Fault): { status: number; problems: string[] } {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    prepared.begin();
    const before = lookBefore(stage);
    const counted = { ...call, nth: Math.max(1, call.nth + (OFFSETS[tries % OFFSETS.length] ?? 0)) };
    const ended = stage.inject(prepared.command, counted, fault);
    if (aboutOfCall(counted, stage.logs, stage.root) !== call.about) continue;
    return { status: ended.status, problems: judge(stage, prepared, fault, before, ended) };
  }
  return { status: -1, problems: ['the run never made this call'] };
}
