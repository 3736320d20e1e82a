import type { Call } from './calls';
import { edit } from './closures';
import { type Ended, KILLED, type Stage } from './stage';
import { type Machine, seeMachine } from './views';

/** A command that is swept, and where it begins. */
export interface Scenario {
  /** Whether each call fails in every way, or in one of them. */
  readonly errors: 'all' | 'in turn';
  /** Whether what looks at something fails as well. */
  readonly looks?: true;
  /** One of so many points is tried, where another scenario tries the most of them. */
  readonly sparse?: number;
  /** How many sweep it at once, where two would be in each other's way: loop devices are numbered for all. */
  readonly workers?: 1;
  /** Filesystems of their own. */
  readonly mounts?: readonly string[];
  /** What is done first, each of which has to succeed; `edit` is what somebody does to ours. */
  readonly first: readonly (readonly string[] | 'edit')[];
  /** The transition. */
  readonly transition: readonly string[];
  /** What interrupts the transition, where what is swept is the `resume` after that. */
  readonly crash?: Crash;
}

type Crash = (stage: Stage, transition: readonly string[], calls: readonly Call[]) => void;

const JOURNAL = /"transition\.json"/u;
const SECOND = ['switch', 'closures/second', '--on-drift', 'backup'];
const toFirst = [['switch', 'closures/first'], 'edit'] as const;

/** How many renames an undo does before it is killed: it has said in the journal that it undoes, and undone some. */
const RENAMES_UNDONE = 8;

/** The last thing that can fail before a transition is committed fails, and while all is being undone it is killed. */
const killWhileUndoing: Crash = (stage, transition, calls) => {
  const role = calls.findIndex(({ name, about }) => name === 'renameat2' && about.includes('"default"'));
  const failing = insist(calls.slice(role).find(({ name }) => name === 'syncfs'));
  const rename = (failing.before['renameat2'] ?? 0) + RENAMES_UNDONE;
  const kill = ['-e', `inject=renameat2:signal=KILL:when=${rename}`];
  insistOnKilled(stage.inject(transition, failing, { kind: 'error', errno: 'EIO' }, kill));
};

export const scenarios: Readonly<Record<string, Scenario>> = {
  switch: { errors: 'all', looks: true, first: toFirst, transition: SECOND },
  rollback: { errors: 'in turn', looks: true, first: [...toFirst, SECOND], transition: ['rollback'] },
  'resume before the swap': {
    errors: 'in turn',
    first: toFirst,
    transition: SECOND,
    crash: killAt((calls) =>
      calls.slice(0, calls.indexOf(pointed(calls))).findLast(({ about }) => JOURNAL.test(about)),
    ),
  },
  'resume after the swap': {
    errors: 'in turn',
    looks: true,
    first: toFirst,
    transition: SECOND,
    crash: killAt((calls) => calls[calls.indexOf(pointed(calls)) + 1]),
  },
  'resume while it was being undone': {
    errors: 'in turn',
    first: toFirst,
    transition: SECOND,
    crash: killWhileUndoing,
  },
  'the first switch': { errors: 'in turn', first: [], transition: ['switch', 'closures/first'] },
  'a switch with /var on its own': { errors: 'in turn', mounts: ['/var'], first: toFirst, transition: SECOND },
  'what the next boot shows': { errors: 'in turn', first: toFirst, transition: ['boot', 'closures/second'] },
  'a trial of what the next boot shows': {
    errors: 'in turn',
    first: toFirst,
    transition: ['boot', 'closures/second', '--trial', '3'],
  },
  'a trial of an older generation': {
    errors: 'in turn',
    first: [...toFirst, SECOND, ['switch', 'closures/first']],
    transition: ['boot', '2', '--trial', '3'],
  },
  'another trial, and a switch': {
    errors: 'in turn',
    sparse: 5,
    first: [...toFirst, [...SECOND, '--trial', '3'], ['rollback'], 'edit'],
    transition: ['switch', '2', '--on-drift', 'backup', '--trial', '1'],
  },
  'the end of a trial': {
    errors: 'in turn',
    first: [...toFirst, ['boot', 'closures/second', '--trial', '3']],
    transition: ['boot', '2'],
  },
  'the first wrappers': { errors: 'in turn', first: [], transition: ['switch', 'closures/wrapping first'] },
  'a switch of wrappers': {
    errors: 'in turn',
    mounts: ['/run/wrappers'],
    first: [['switch', 'closures/wrapping first']],
    transition: ['switch', 'closures/wrapping second'],
  },
  'a rollback of wrappers to nothing': {
    errors: 'in turn',
    mounts: ['/run/wrappers'],
    first: [['switch', 'closures/wrapping first']],
    transition: ['rollback', '0'],
  },
  'a switch of images': {
    errors: 'in turn',
    sparse: 5,
    workers: 1,
    first: [['switch', 'closures/first.squashfs'], 'edit'],
    transition: ['switch', 'closures/second.squashfs', '--on-drift', 'backup'],
  },
  'a rollback of images': {
    errors: 'in turn',
    sparse: 5,
    workers: 1,
    first: [['switch', 'closures/first.erofs'], 'edit', ['switch', 'closures/second.erofs', '--on-drift', 'backup']],
    transition: ['rollback'],
  },
  'resume after the swap of images': {
    errors: 'in turn',
    sparse: 5,
    workers: 1,
    first: [['switch', 'closures/first.erofs'], 'edit'],
    transition: ['switch', 'closures/second.squashfs', '--on-drift', 'backup'],
    crash: killAt((calls) => calls[calls.indexOf(pointed(calls)) + 1]),
  },
  'a rollback to nothing': { errors: 'in turn', first: [...toFirst, SECOND], transition: ['rollback', '0'] },
};

function killAt(find: (calls: readonly Call[]) => Call | undefined): Crash {
  return (stage, transition, calls) => {
    insistOnKilled(stage.inject(transition, insist(find(calls)), { kind: 'kill' }));
  };
}

function insistOnKilled({ status, output }: Ended): void {
  if (status !== KILLED) throw new Error(`it was not killed, but ended with status ${status}: ${output}`);
}

function pointed(calls: readonly Call[]): Call {
  return insist(calls.find(({ name, about }) => name === 'renameat2' && about.includes('"filesystem-overlay"')));
}

function insist(call: Call | undefined): Call {
  if (call === undefined) throw new Error('the transition does not make the call that it is to be killed at');
  return call;
}

/** A scenario, ready to be run again and again. */
export interface Prepared {
  /** What is swept. */
  readonly command: readonly string[];
  readonly isResume: boolean;
  /** Brings the stage to where the command begins. */
  readonly begin: () => void;
  readonly old: Machine;
  readonly new: Machine;
  /** What the command leaves where nothing is wrong: one of the two. */
  readonly end: Machine;
  readonly calls: readonly Call[];
}

/** Brings the stage to where a scenario begins, and records what it does. */
export function prepare(stage: Stage, { first, transition, crash }: Scenario): Prepared {
  for (const args of first) {
    if (args === 'edit') edit(stage.root);
    else succeed(stage.activate(args));
  }
  stage.keep();
  stage.reset();
  const old = seeMachine(stage.root);
  const { ended, calls } = stage.record(transition);
  succeed(ended);
  const end = seeMachine(stage.root);
  const known = { old, new: end };
  const changes = calls.filter(({ does }) => does === 'change');
  if (crash !== undefined) return prepareResume(stage, known, () => crash(stage, transition, changes));
  insistOnSame(stage, { begin: stage.reset, command: transition, calls });
  return { ...known, command: transition, isResume: false, begin: stage.reset, end, calls };
}

/** What was staged is known by what a copy of a crashed machine would not have, its inode: each run crashes anew. */
function prepareResume(stage: Stage, known: Pick<Prepared, 'old' | 'new'>, crash: () => void): Prepared {
  const begin = (): void => {
    stage.reset();
    crash();
  };
  begin();
  const command = ['resume'];
  const { ended, calls } = stage.record(command);
  succeed(ended);
  const end = ended.output.includes('was undone') ? known.old : known.new;
  insistOnSame(stage, { begin, command, calls });
  return { ...known, command, isResume: true, begin, end, calls };
}

/** A call is named by its number, so each run has to make the same ones. */
function insistOnSame(stage: Stage, { begin, command, calls }: Pick<Prepared, 'begin' | 'command' | 'calls'>): void {
  begin();
  const again = stage.record(command).calls;
  const other = calls.findIndex(({ about }, index) => about !== again[index]?.about);
  if (other >= 0 || again.length !== calls.length)
    throw new Error(`two runs differ: ${calls[other]?.about} and ${again[other]?.about}`);
}

function succeed({ status, output }: Ended): void {
  if (status !== 0) throw new Error(`status ${status}: ${output}`);
}
