import type { PathChange, View } from './change/change';
import { compareContent, type Comparison, halvesOf, isOtherKind, pathWithSlash, sizeOf } from './change/comparison';
import { displayName, displayWidth, shorten } from './text/display';
import { type Paint, paintFor } from './text/paint';
import { renderPatch } from './change/patch';

/** Added, modified, deleted, or of another kind. */
export type Status = 'A' | 'M' | 'D' | 'T';

/** What a change does to its path, in git's letters. */
export function statusOf({ before, after }: PathChange): Status {
  if (before.kind === 'absent') return 'A';
  if (after.kind === 'absent') return 'D';
  return isOtherKind(before, after) ? 'T' : 'M';
}

/** A line for each change: status, tab, path. */
export function renderNameStatus(changes: readonly PathChange[]): string {
  return changes.map((change) => `${statusOf(change)}\t${displayName(change.path)}\n`).join('');
}

export interface LineCount {
  readonly added: number;
  readonly removed: number;
}

/** How many lines the patch of a change adds and removes; `undefined` where it shows no lines: binary or hidden content. */
export function countLines(change: PathChange): LineCount | undefined {
  return totalOf(halvesOf(change).map(compareContent));
}

function totalOf(comparisons: readonly Comparison[]): LineCount | undefined {
  let added = 0;
  let removed = 0;
  for (const comparison of comparisons) {
    if (comparison.state === 'same') continue;
    if (comparison.state !== 'text') return undefined;
    for (const edit of comparison.edits) {
      added += edit.added;
      removed += edit.removed;
    }
  }
  return { added, removed };
}

/**
 * The changes as `git diff --stat` has them: a line for each, and a last line that adds them up.
 *
 * A directory has a slash at its end; content that is not shown has `-` and the reason. A line for a path takes less than
 * `columns`, or than 26 where that is more.
 */
export function renderStat(changes: readonly PathChange[], columns: number, paint: Paint): string {
  if (changes.length === 0) return '';
  const rows = changes.map(rowOf);
  const layout = layOut(rows, columns);
  return [...rows.map((row) => renderRow(row, layout, paint)), renderTotal(rows)].map((line) => `${line}\n`).join('');
}

interface Row {
  readonly name: string;
  /** The number of lines, or what stands in its place. */
  readonly label: string;
  readonly lines: LineCount;
  /** What stands in place of the graph. */
  readonly remark: string;
}

function rowOf(change: PathChange): Row {
  const { before, after } = change;
  const name = displayName(pathWithSlash(change).slice(1));
  const comparisons = halvesOf(change).map(compareContent);
  const lines = totalOf(comparisons);
  if (lines !== undefined) return { name, label: String(lines.added + lines.removed), lines, remark: '' };
  const none = { added: 0, removed: 0 };
  const hidden = comparisons.find(({ state }) => state === 'withheld' || state === 'unreadable');
  if (hidden !== undefined) return { name, label: '-', lines: none, remark: hidden.state };
  return { name, label: 'Bin', lines: none, remark: `${sizeOf(before)} -> ${sizeOf(after)} bytes` };
}

/** How wide the parts of ` name | label graph` are, and how many lines the longest graph stands for. */
interface Layout {
  readonly name: number;
  readonly label: number;
  readonly graph: number;
  readonly mostLines: number;
}

/** Blanks and the bar, and an empty column at the end. */
const FRAME = 6;
const LEAST_NAME = 10;
const LEAST_GRAPH = 6;

/** The name gets what it needs, up to five eighths. @see show_stats in git's diff.c */
function layOut(rows: readonly Row[], columns: number): Layout {
  const mostLines = most(rows.map(({ lines }) => lines.added + lines.removed));
  const label = most(rows.map((row) => row.label.length));
  const remark = most(rows.map((row) => row.remark.length));
  const room = Math.max(columns, LEAST_NAME + LEAST_GRAPH + FRAME + label) - label - FRAME;
  const name = most(rows.map((row) => displayWidth(row.name)));
  const graph = Math.max(mostLines, remark);
  if (name + graph <= room) return { name, label, graph, mostLines };
  // Unlike git, which lets sizes stick out.
  const least = Math.max(LEAST_GRAPH, Math.min(remark, room - LEAST_NAME));
  const share = Math.min(graph, Math.max(Math.floor((columns * 3) / 8) - label - FRAME, least));
  return name > room - share
    ? { name: room - share, label, graph: share, mostLines }
    : { name, label, graph: room - name, mostLines };
}

function most(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), 0);
}

function renderRow(row: Row, layout: Layout, paint: Paint): string {
  const name = shorten(row.name, layout.name);
  const start = ` ${name}${' '.repeat(Math.max(layout.name - displayWidth(name), 0))} | ${row.label.padStart(layout.label)}`;
  if (row.remark !== '') return row.remark.length <= layout.graph ? `${start} ${row.remark}` : start;
  const { added, removed } = scale(row.lines, layout);
  if (added + removed === 0) return start;
  return `${start} ${added > 0 ? paint.green('+'.repeat(added)) : ''}${removed > 0 ? paint.red('-'.repeat(removed)) : ''}`;
}

/** How many characters stand for the lines; at least one for each kind there is. */
function scale({ added, removed }: LineCount, { graph, mostLines }: Layout): LineCount {
  if (mostLines < graph || mostLines === 0) return { added, removed };
  const shareOf = (count: number): number => (count === 0 ? 0 : 1 + Math.floor((count * (graph - 1)) / mostLines));
  const whole = Math.max(shareOf(added + removed), added > 0 && removed > 0 ? 2 : 0);
  if (added < removed) return { added: shareOf(added), removed: whole - shareOf(added) };
  return { added: whole - shareOf(removed), removed: shareOf(removed) };
}

function renderTotal(rows: readonly Row[]): string {
  const added = rows.reduce((sum, { lines }) => sum + lines.added, 0);
  const removed = rows.reduce((sum, { lines }) => sum + lines.removed, 0);
  const parts = [` ${count(rows.length, 'path')} changed`];
  if (added > 0 || removed === 0) parts.push(`${count(added, 'insertion')}(+)`);
  if (removed > 0 || added === 0) parts.push(`${count(removed, 'deletion')}(-)`);
  return parts.join(', ');
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** A change in the document that `--json` prints. */
export interface ChangeDocument {
  readonly path: string;
  readonly status: Status;
  readonly before: ViewDocument;
  readonly after: ViewDocument;
  readonly notes: readonly string[];
  /** See `renderPatch`; only where all content is text that may be seen. */
  readonly patch?: string;
}

/** `mode` is octal, such as `0644`; `content` says whether a file's bytes could be compared. */
type ViewDocument =
  | Exclude<View, { readonly kind: 'file' | 'directory' }>
  | { readonly kind: 'directory'; readonly mode: string; readonly uid: number; readonly gid: number }
  | {
      readonly kind: 'file';
      readonly mode: string;
      readonly uid: number;
      readonly gid: number;
      readonly sizeBytes: number;
      readonly content: 'read' | 'withheld' | 'unreadable';
    };

/** Neither content that is withheld nor its digest is in it. */
export function changeToJson(change: PathChange): ChangeDocument {
  const { path, before, after, notes } = change;
  const document = { path, status: statusOf(change), before: viewToJson(before), after: viewToJson(after), notes };
  const hasContent = [before, after].some(({ kind }) => kind === 'file' || kind === 'symlink');
  if (!hasContent || countLines(change) === undefined) return document;
  return { ...document, patch: renderPatch(change, paintFor('never')) };
}

function viewToJson(view: View): ViewDocument {
  if (view.kind !== 'file' && view.kind !== 'directory') return view;
  const { kind, uid, gid } = view;
  const mode = view.mode.toString(8).padStart(4, '0');
  return kind === 'directory'
    ? { kind, mode, uid, gid }
    : { kind, mode, uid, gid, sizeBytes: sizeOf(view), content: view.content.state };
}
