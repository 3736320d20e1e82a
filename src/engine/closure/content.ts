import { whyNotInUnit } from '../../core/mount-unit';
import type { Context } from '../../context';
import { hostPath, type TargetPath, targetPathOf } from '../../core/path';
import { carrierPath, type Generation, isMounted } from '../../core/records/generation';
import { isImage } from '../../core/records/overlay';
import { digestHostFile, readStatus } from '../../system/reading';
import { extractImage, openPrivateMount, type PrivateMount } from '../../system/private-mount';
import { ActivateError } from '../../core/errors';
import { findGeneration, numberBefore, readState } from '../generations';
import type { Machine } from '../machine';
import type { Target } from '../prepare';
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
export async function withContent<Result>(
  context: Context,
  machine: Machine,
  target: Target,
  task: (content: Content) => Promise<Result>,
): Promise<Result> {
  const opened: PrivateMount[] = [];
  const open: OpenImage = async (file, kind) => {
    const mount = await (context.uid === 0 ? openPrivateMount(file, kind) : extractImage(file, kind));
    opened.push(mount);
    return mount.path;
  };
  try {
    const source = target.kind === 'closure' ? await openSource(context, target, open) : undefined;
    const elsewhere = new Map<TargetPath, Place>();
    const { wanted, hidden } = hiddenGenerations(machine, target);
    for (const generation of hidden) {
      const contentPath = await contentPathOf(machine, generation, open).catch((error: unknown) => {
        // What is not gone to is damaged for itself alone: that keeps nobody from another generation.
        if (generation.number === wanted || !isDamage(error)) throw error;
        return undefined;
      });
      if (contentPath !== undefined) elsewhere.set(generation.overlay, { hostPath: contentPath, additions: [] });
    }
    return await task({ source, elsewhere });
  } finally {
    for (const mount of opened) await mount.close();
  }
}

/** What is live, gone to, or the closure already, and is not mounted now; `wanted` is what is gone to. */
function hiddenGenerations(
  machine: Machine,
  target: Target,
): { readonly wanted: number | undefined; readonly hidden: readonly Generation[] } {
  const state = readState(machine);
  const wanted = {
    closure: undefined,
    generation: target.kind === 'generation' ? target.number : 0,
    previous: numberBefore(state),
    default: state.default,
    live: state.live,
  }[target.kind];
  const hidden = [...new Set([state.live, wanted ?? state.default])].flatMap((number) => {
    const generation = number === 0 ? undefined : findGeneration(machine, number);
    const isHidden = generation !== undefined && isMounted(generation) && !isShown(machine, generation.overlay);
    return isHidden ? [generation] : [];
  });
  return { wanted, hidden };
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
