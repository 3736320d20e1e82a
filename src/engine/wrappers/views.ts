import { ActivateError } from '../../core/errors';
import type { PathChange, View, ViewContent } from '../../core/report/change';
import { joinTarget, nameOf } from '../../core/path';
import type { WrapperChange } from '../../core/plan/wrappers';
import { type FoundWrapper, type Wrapper, WRAPPERS } from '../../core/wrapper';
import { readHostBytes } from '../../system/host-files';
import type { Machine } from '../machine';
import type { Prepared } from '../prepare';
import { readContent, type ViewOptions, withhold } from '../views';
import { wrapperLink } from './looking';
import { readableSource } from './sources';

/** What a transition changes of wrappers, as people see it. */
export function* viewWrappers(machine: Machine, prepared: Prepared, options: ViewOptions): Generator<PathChange> {
  const job = { machine, prepared, options };
  for (const change of prepared.wrappers.changes) {
    const { path, found, wanted } = change;
    const before = found === undefined ? ABSENT : viewFound(job, wanted?.name ?? nameOf(path), found);
    const after = wanted === undefined ? ABSENT : viewWanted(job, wanted);
    yield { path, before, after, notes: notesOn(change) };
  }
}

interface Job {
  readonly machine: Machine;
  readonly prepared: Prepared;
  readonly options: ViewOptions;
}

const ABSENT: View = { kind: 'absent' };

function viewFound({ machine, options }: Job, name: string, found: FoundWrapper): View {
  if (found.kind === 'other') return { kind: 'special', what: found.what };
  const { mode, uid, gid, sizeBytes } = found;
  const path = joinTarget(WRAPPERS, `${wrapperLink(machine) ?? ''}/${name}`);
  const content = withhold(readContent(machine.root, path, sizeBytes), mode, options);
  return { kind: 'file', mode, uid, gid, content };
}

function viewWanted({ machine, prepared, options }: Job, wrapper: Wrapper): View {
  const { mode, uid, gid, sizeBytes } = wrapper;
  const { to, elsewhere } = prepared;
  const path = to.overlay === undefined ? '' : readableSource(machine, wrapper, { overlay: to.overlay, elsewhere });
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
