import { ActivateError } from '../../core/errors';
import type { PathChange, View, ViewContent } from '../../core/report/change/change';
import { joinTarget, nameOf, type TargetPath } from '../../core/path';
import type { WrapperChange } from '../../core/plan/wrappers';
import { type FoundWrapper, type Wrapper, WRAPPERS } from '../../core/wrapper';
import { readHostBytes } from '../../system/host/host-files';
import type { Machine } from '../state/machine';
import type { Prepared } from '../deciding/prepare';
import { readContent, type ViewOptions, withhold } from '../previewing/views';
import { wrapperLink } from './looking';
import { readableSource } from './sources';

/** What there is to see of wrappers: what changes, and where their bytes are. */
export interface ViewedWrappers extends Pick<Prepared, 'elsewhere'> {
  readonly wrappers: { readonly changes: readonly WrapperChange[] };
  readonly to: { readonly overlay: TargetPath | undefined };
  /** What the wrappers before are made from, where they are not those on the machine. */
  readonly made?: { readonly overlay: TargetPath | undefined; readonly wrappers: readonly Wrapper[] };
}

/** What a transition changes of wrappers, as people see it. */
export function* viewWrappers(machine: Machine, prepared: ViewedWrappers, options: ViewOptions): Generator<PathChange> {
  const job = { machine, prepared, options };
  for (const change of prepared.wrappers.changes) {
    const { path, found, wanted } = change;
    const before = found === undefined ? ABSENT : viewFound(job, wanted?.name ?? nameOf(path), found);
    const after = wanted === undefined ? ABSENT : viewMade(job, wanted, prepared.to.overlay);
    yield { path, before, after, notes: notesOn(change) };
  }
}

interface Job {
  readonly machine: Machine;
  readonly prepared: ViewedWrappers;
  readonly options: ViewOptions;
}

const ABSENT: View = { kind: 'absent' };

function viewFound(job: Job, name: string, found: FoundWrapper): View {
  const { machine, prepared, options } = job;
  const made = prepared.made?.wrappers.find((wrapper) => wrapper.name === name);
  if (made !== undefined) return viewMade(job, made, prepared.made?.overlay);
  if (found.kind === 'other') return { kind: 'special', what: found.what };
  const { mode, uid, gid, sizeBytes } = found;
  const path = joinTarget(WRAPPERS, `${wrapperLink(machine) ?? ''}/${name}`);
  const content = withhold(readContent(machine.root, path, sizeBytes), mode, options);
  return { kind: 'file', mode, uid, gid, content };
}

function viewMade({ machine, prepared, options }: Job, wrapper: Wrapper, overlay: TargetPath | undefined): View {
  const { mode, uid, gid, sizeBytes } = wrapper;
  const { elsewhere } = prepared;
  const path = overlay === undefined ? '' : readableSource(machine, wrapper, { overlay, elsewhere });
  return { kind: 'file', mode, uid, gid, content: withhold(readSource(path, sizeBytes), mode, options) };
}

/** Whoever looks while a switch is under way may come too late. */
function readSource(path: string, sizeBytes: number): ViewContent {
  try {
    return { state: 'read', bytes: readHostBytes(path) };
  } catch (error) {
    if (!(error instanceof ActivateError) || (error.code !== 'PERMISSION' && error.code !== 'IO')) throw error;
    return { state: 'unreadable', sizeBytes };
  }
}

/** Capabilities are nothing that git knows. */
function notesOn({ found, wanted }: WrapperChange): string[] {
  const [before, after] = [found?.kind === 'file' ? found.capabilities : undefined, wanted?.capabilities];
  if (before === after) return [];
  if (found === undefined) return [`capabilities ${after}`];
  return wanted === undefined ? [] : [`capabilities ${before ?? 'none'} -> ${after ?? 'none'}`];
}
