import { existsSync, readlinkSync } from 'node:fs';
import type { Fault } from './calls';
import { unmanaged } from './closures';
import type { Prepared } from './scenarios';
import type { Ended, Stage } from './stage';
import { compareMachines, identify, MISSING, seeMachine, viewOf } from './views';

/** What was seen before anything happened to the machine. */
export interface Before {
  readonly unmanaged: readonly string[];
}

export function lookBefore({ root }: Stage): Before {
  return { unmanaged: identify(root, unmanaged) };
}

/** What is not as promised after a fault; `resume` may be run, and the machine is not what it was afterwards. */
export function judge(stage: Stage, prepared: Prepared, fault: Fault, before: Before, ended: Ended): string[] {
  const atOnce = [
    ...missing(stage, prepared),
    ...touched(stage, before),
    ...trusted(stage, prepared),
    ...(fault.kind === 'kill' ? [] : dishonest(stage, prepared, fault, ended)),
  ];
  // Where nothing is left to be done, and all is as it was or as it is to be, `resume` has nothing to look at.
  const isOver =
    fault.kind === 'error' &&
    !leftMounted(ended) &&
    (ended.status === 0 || UNCHANGED.has(ended.status)) &&
    !prepared.isResume;
  const problems =
    isOver && atOnce.length === 0 ? [] : [...atOnce, ...unresumed(stage, prepared), ...touched(stage, before)];
  return problems.length === 0 ? [] : [`status ${ended.status}: ${ended.output.trim()}`, ...problems];
}

/** What both generations have has to lead, to a process whose `/` is the root, to the whole old or the whole new content. */
function missing({ root }: Stage, { old, new: fresh }: Prepared): string[] {
  return [...old.views].flatMap(([path, before]) => {
    const after = fresh.views.get(path);
    if (before === MISSING || after === MISSING) return [];
    const view = viewOf(root, path);
    return view === before || view === after ? [] : [`${path} shows ${view}`];
  });
}

const DEFAULT = '/var/lib/activate/default → ';

/** What is to be on trial is never the default without its tries: the next boot would trust it. */
function trusted({ root }: Stage, { old, new: fresh }: Prepared): string[] {
  const wanted = fresh.state.find((each) => each.startsWith(DEFAULT));
  const number = wanted?.slice(DEFAULT.length) ?? '';
  const isOnTrial = fresh.state.some((each) => each.startsWith(`/var/lib/activate/${number}/tries = `));
  if (!isOnTrial || (wanted !== undefined && old.state.includes(wanted))) return [];
  const [now, tries] = [`${root}/var/lib/activate/default`, `${root}/var/lib/activate/${number}/tries`];
  if (!existsSync(now) || readlinkSync(now) !== number || existsSync(tries)) return [];
  return [`${number} is the default, and not on trial`];
}

function touched({ root }: Stage, before: Before): string[] {
  const now = identify(root, unmanaged);
  return before.unmanaged.flatMap((each, index) => (now[index] === each ? [] : [`${each} became ${now[index]}`]));
}

/** Statuses that promise that nothing was changed, or that everything was undone. */
const UNCHANGED = new Set([3, 4, 65, 74, 75, 77]);

/** Records that say nothing by themselves: one that never got its name, and what only the journal gives a meaning to. */
const RECORD = /\/(?:\.activate\.record\.[^/]*|transition\.sh): appeared/u;

/** It said that it could not take away what was shown before; `resume`, and the next switch, do that then. */
function leftMounted({ output }: Ended): boolean {
  return output.includes('could not unmount');
}

/** What the exit status says that is not so. */
function dishonest(stage: Stage, prepared: Prepared, fault: Fault, ended: Ended): string[] {
  const untrue = contradictions(stage, prepared, fault, ended);
  return leftMounted(ended) ? untrue.filter((each) => !each.includes('/run/activate/gen/')) : untrue;
}

function contradictions(stage: Stage, prepared: Prepared, fault: Fault, { status }: Ended): string[] {
  const isPending = existsSync(`${stage.root}/var/lib/activate/transition.json`);
  if (status === 0) return about('status 0, but', compareMachines(prepared.end, seeMachine(stage.root), false));
  if (status === 5) return isPending ? [] : ['status 5, and there is no journal to resume from'];
  // It failed at something; whatever is left of the transition or as litter, the next one has to get rid of.
  if (prepared.isResume && (status === 74 || status === 77)) return [];
  if (UNCHANGED.has(status)) {
    const differences = compareMachines(prepared.old, seeMachine(stage.root), true);
    // On a disk that has become read-only nothing can be removed, not even what is of no use.
    const left = fault.kind === 'errors from there on' ? differences.filter((each) => !RECORD.test(each)) : differences;
    return about(`status ${status}, but`, left);
  }
  return [`status ${status} says nothing of this`];
}

/** What is not as it was or as it was to be once `resume` has run, and what it does when it is run again. */
function unresumed(stage: Stage, { old, new: fresh }: Prepared): string[] {
  const resumed = resume(stage);
  if (resumed.status !== 0) return [`resume: status ${resumed.status}: ${resumed.output.trim()}`];
  const machine = seeMachine(stage.root);
  const fromOld = compareMachines(old, machine, true);
  const fromNew = compareMachines(fresh, machine, false);
  const least = fromOld.length < fromNew.length ? about('not old:', fromOld) : about('not new:', fromNew);
  if (resumed.output.startsWith('Nothing was interrupted')) return least;
  const again = resume(stage);
  if (again.status !== 0) return [...least, `resume again: status ${again.status}: ${again.output.trim()}`];
  return [...least, ...about('resume again:', compareMachines(machine, seeMachine(stage.root), true))];
}

const MOST_TRIES = 100;

/** A program that `activate` had started holds the lock until it has ended as well. */
function resume(stage: Stage): Ended {
  for (let tries = 1; ; tries += 1) {
    const ended = stage.activate(['resume']);
    if (ended.status !== 75 || tries === MOST_TRIES) return ended;
  }
}

function about(what: string, differences: readonly string[]): string[] {
  return differences.map((each) => `${what} ${each}`);
}
