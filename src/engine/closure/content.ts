import { whyNotInUnit } from '../../core/mount-unit';
import type { Context } from '../../context';
import { hostPath, type TargetPath, targetPathOf } from '../../core/path';
import { carrierPath, type Generation, isMounted } from '../../core/records/generation';
import { isImage } from '../../core/records/overlay';
import { digestHostFile, readStatus } from '../../system/tree/reading';
import { extractImage, openPrivateMount, type PrivateMount } from '../../system/mounts/private-mount';
import { ActivateError } from '../../core/errors';
import { findGeneration, numberBefore, readState } from '../state/generations';
import type { Machine } from '../state/machine';
import type { Target } from '../deciding/prepare';
import { isShown } from '../transition/showing';
import type { Addition, Closure } from './closure';
import { type OpenImage, openSource, type Source } from './source';

/** Where the content of an overlay can be read while it cannot be looked at in its place. */
export type Elsewhere = ReadonlyMap<TargetPath, Place>;

interface Place {
  readonly hostPath: string;
  /** What is not there yet. */
  readonly additions: readonly Addition[];
}

/** Where content can be read while a transition is planned. */
export interface Content {
  /** The bundle or image that the closure is; `undefined` for a directory. */
  readonly source: Source | undefined;
  readonly elsewhere: Elsewhere;
}

export const noContent: Content = { source: undefined, elsewhere: new Map() };

/**
 * Opens what has to be opened to read what a transition leads to, for the length of a task. Nothing of it is to be seen on the
 * machine: what cannot be mounted, or is damaged, is found out here, before the first write.
 *
 * @throws {ActivateError} `CLOSURE`, `STATE` where an image is damaged, `REFUSED` where this machine cannot mount it
 */
export function withContent<Result>(
  context: Context,
  machine: Machine,
  target: Target,
  task: (content: Content) => Promise<Result>,
): Promise<Result> {
  return withImages(context, async (open) => {
    const source = target.kind === 'closure' ? await openSource(context, target, open) : undefined;
    return task({ source, elsewhere: await openHidden(machine, numbersShown(machine, target), open) });
  });
}

/** {@link withContent} for targets that are to be compared, whatever is live: the content of each. */
export function withContents<Result>(
  context: Context,
  machine: Machine,
  targets: readonly Target[],
  task: (contents: readonly Content[]) => Promise<Result>,
): Promise<Result> {
  return withImages(context, async (open) => {
    const contents: Content[] = [];
    for (const target of targets) {
      const source = target.kind === 'closure' ? await openSource(context, target, open) : undefined;
      const wanted = target.kind === 'generation' ? target.number : undefined;
      contents.push({ source, elsewhere: await openHidden(machine, { wanted, others: [] }, open) });
    }
    return task(contents);
  });
}

/** Gives a task what opens images, and closes them when it ends. */
async function withImages<Result>(context: Context, task: (open: OpenImage) => Promise<Result>): Promise<Result> {
  const opened: PrivateMount[] = [];
  const open: OpenImage = async (file, kind) => {
    const mount = await (context.uid === 0 ? openPrivateMount(file, kind) : extractImage(file, kind));
    opened.push(mount);
    return mount.path;
  };
  try {
    return await task(open);
  } finally {
    for (const mount of opened) await mount.close();
  }
}

/** Generations that may not be mounted now: what is gone to, and others that are looked at. */
interface Shown {
  readonly wanted: number | undefined;
  readonly others: readonly number[];
}

/** What a transition reads: what is live, gone to, or the closure already. */
function numbersShown(machine: Machine, target: Target): Shown {
  const state = readState(machine);
  const wanted = {
    closure: undefined,
    generation: target.kind === 'generation' ? target.number : 0,
    previous: numberBefore(state),
    default: state.default,
    live: state.live,
  }[target.kind];
  return { wanted, others: [state.live, wanted ?? state.default] };
}

async function openHidden(machine: Machine, { wanted, others }: Shown, open: OpenImage): Promise<Elsewhere> {
  const elsewhere = new Map<TargetPath, Place>();
  for (const generation of hiddenGenerations(machine, wanted === undefined ? others : [...others, wanted])) {
    const contentPath = await contentPathOf(machine, generation, open).catch((error: unknown) => {
      // What is not gone to is damaged for itself alone: that keeps nobody from another generation.
      if (generation.number === wanted || !isDamage(error)) throw error;
      return undefined;
    });
    if (contentPath !== undefined) elsewhere.set(generation.overlay, { hostPath: contentPath, additions: [] });
  }
  return elsewhere;
}

/** Those that are shown through a mount, and are not mounted now. */
function hiddenGenerations(machine: Machine, numbers: readonly number[]): Generation[] {
  return [...new Set(numbers)].flatMap((number) => {
    const generation = number === 0 ? undefined : findGeneration(machine, number);
    const isHidden = generation !== undefined && isMounted(generation) && !isShown(machine, generation.overlay);
    return isHidden ? [generation] : [];
  });
}

/** Where the content of a generation can be read; `undefined` where what carries it is gone. */
async function contentPathOf(machine: Machine, generation: Generation, open: OpenImage): Promise<string | undefined> {
  if (!isCarried(machine, generation)) return undefined;
  const { carrier } = generation;
  const file = hostPath(machine.root.path, carrierPath(generation));
  if (!isImage(carrier)) return file;
  refuseOtherImage(generation, file);
  return open(file, carrier.kind);
}

function isDamage(error: unknown): boolean {
  return error instanceof ActivateError && (error.code === 'STATE' || error.code === 'IO');
}

/** Whether what carries a generation is there. */
export function isCarried({ root }: Machine, generation: Generation): boolean {
  const status = readStatus(root, carrierPath(generation));
  const { carrier } = generation;
  return isImage(carrier)
    ? status?.kind === 'file' && status.sizeBytes === carrier.sizeBytes
    : status?.kind === 'directory' || status?.kind === 'symlink';
}

/** @throws {ActivateError} `REFUSED` where what carries a generation is not there */
export function refuseMissingOverlay(machine: Machine, generation: Generation): void {
  const { number } = generation;
  if (isCarried(machine, generation)) return;
  throw new ActivateError('REFUSED', `generation ${number} cannot be shown: its content is gone`, {
    path: hostPath(machine.root.path, carrierPath(generation)),
    hint: 'Switch to its closure again, or to another generation (`activate list`).',
  });
}

/** Whether what carries a generation is there and, where it has to be mounted again, was found to be as it was. */
export function canBeShown(machine: Machine, generation: Generation, { elsewhere }: Content): boolean {
  const { overlay } = generation;
  return isCarried(machine, generation) && (isShown(machine, overlay) || elsewhere.has(overlay));
}

function refuseOtherImage({ carrier, number }: Generation, file: string): void {
  if (!isImage(carrier) || digestHostFile(file) === carrier.digest) return;
  throw new ActivateError('STATE', `the image of generation ${number} is damaged: it is not as it was`, {
    path: file,
    hint: 'Restore it from a backup, or switch to another generation.',
  });
}

/** Where an image is in the tree at the root, to be used there. */
export function imagePathOf({ root }: Machine, { imageFile, name }: Closure): TargetPath {
  const file = imageFile === undefined ? undefined : targetPathOf(root.path, imageFile);
  const why = file === undefined ? undefined : whyNotInUnit(file);
  if (why !== undefined)
    throw new ActivateError('USAGE', `a boot could not mount it: ${why}`, {
      path: name,
      hint: 'Leave --in-place out.',
    });
  if (file !== undefined) return file;
  throw new ActivateError('USAGE', 'only an image that is below the root can be used in place', {
    path: name,
    hint: 'Leave --in-place out: a copy is made then.',
  });
}
