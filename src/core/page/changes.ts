import type { PathChange, View } from '../report/change/change';
import {
  type Comparison,
  compareContent,
  type Half,
  halvesOf,
  isOtherKind,
  pathWithSlash,
  sizeOf,
} from '../report/change/comparison';
import { describeHidden, sizesOf } from '../report/change/patch';
import { plural } from '../report/report';
import { type LineCount, type Status, statusOf } from '../report/summary';
import { nameMarkup, textMarkup } from './markup';
import { lineCountOf, textDiffMarkup } from './text-diff';

/** A change with what a page says of it, worked out once. */
export interface Item {
  readonly change: PathChange;
  readonly status: Status;
  /** What leads to it in the page. */
  readonly id: string;
  readonly parts: readonly Part[];
  readonly lines: LineCount;
  /** How many lines are shown before anything is opened. */
  readonly openLines: number;
}

interface Part {
  readonly half: Half;
  readonly comparison: Comparison;
  /** How many lines it has. */
  readonly lineCount: number;
}

/** Reads all that a page says of the changes, in order. */
export function itemsOf(changes: readonly PathChange[]): Item[] {
  return changes.map((change, index) => {
    const parts = halvesOf(change).map(partOf);
    const edits = parts.flatMap(({ comparison }) => (comparison.state === 'text' ? comparison.edits : []));
    return {
      change,
      status: statusOf(change),
      id: `c${index + 1}`,
      parts,
      lines: {
        added: edits.reduce((sum, { added }) => sum + added, 0),
        removed: edits.reduce((sum, { removed }) => sum + removed, 0),
      },
      openLines: parts.reduce((sum, { lineCount }) => sum + (lineCount <= MOST_OPEN_LINES ? lineCount : 0), 0),
    };
  });
}

function partOf(half: Half): Part {
  const comparison = compareContent(half);
  return { half, comparison, lineCount: comparison.state === 'text' ? lineCountOf(comparison) : 0 };
}

/** A status in words: letters and colours alone would not be for everybody. */
export const statusWords: Readonly<Record<Status, string>> = {
  A: 'added',
  M: 'modified',
  D: 'deleted',
  T: 'other kind',
};

/** `<span class="b A">added</span>` */
export function badgeMarkup(status: Status): string {
  return `<span class="b ${status}">${statusWords[status]}</span>`;
}

/** `+1 −2`, nothing where no lines are shown. */
export function linesMarkup({ added, removed }: LineCount): string {
  return added + removed === 0 ? '' : `<span class="k">+${added} \u2212${removed}</span>`;
}

/** Where a text has more lines than this, whoever wants to read it opens it. */
const MOST_OPEN_LINES = 300;
/** Where it has no more than this, it cannot be folded up. */
const MOST_UNFOLDED_LINES = 60;

/** All that there is to see of one change. */
export function* changeMarkup({ change, status, id, parts, lines }: Item): Generator<string> {
  const name = nameMarkup(pathWithSlash(change));
  yield `<section class="f" id="${id}">\n<h3>${name} ${badgeMarkup(status)} ${linesMarkup(lines)}</h3>\n<div class="x">\n`;
  yield factsMarkup(change);
  if (change.notes.length > 0)
    yield `<ul class="w">${change.notes.map((note) => `<li>${textMarkup(note)}</li>`).join('')}</ul>\n`;
  for (const part of parts) yield* partMarkup(part, name);
  yield '</div>\n</section>\n';
}

/** Kind, mode, owner and size; what differs is marked, and has both. */
function factsMarkup({ before, after }: PathChange): string {
  const [old, next] = [factsOf(before), factsOf(after)];
  if (before.kind === 'absent' || after.kind === 'absent')
    return `<p class="m">${(before.kind === 'absent' ? next : old).join(', ')}</p>\n`;
  if (isOtherKind(before, after)) return `<p class="m"><mark>${old.join(', ')} \u2192 ${next.join(', ')}</mark></p>\n`;
  const facts = old.map((fact, index) => {
    const other = next[index] ?? '';
    return fact === other ? fact : `<mark>${fact} \u2192 ${other}</mark>`;
  });
  return `<p class="m">${facts.join(', ')}</p>\n`;
}

function factsOf(view: View): string[] {
  if (view.kind === 'absent') return [];
  if (view.kind === 'special') return [textMarkup(view.what)];
  if (view.kind === 'symlink') return ['link'];
  const { kind, mode, uid, gid } = view;
  const facts = [kind, `mode ${mode.toString(8).padStart(4, '0')}`, `owner ${uid}:${gid}`];
  return kind === 'file' ? [...facts, plural(sizeOf(view), 'byte')] : facts;
}

/** What stands around lines that can be folded up; few cannot, which saves browsers work. */
function foldOf(lineCount: number): { readonly start: string; readonly end: string } {
  if (lineCount <= MOST_UNFOLDED_LINES) return { start: '', end: '' };
  const open = lineCount <= MOST_OPEN_LINES ? ' open' : '';
  return { start: `<details${open}><summary>${lineCount} lines</summary>\n`, end: '</details>' };
}

function* partMarkup({ half, comparison, lineCount }: Part, name: string): Generator<string> {
  if (comparison.state === 'same') return;
  if (comparison.state === 'binary')
    yield `<p class="n">Binary content, not shown: ${textMarkup(sizesOf(half))}.</p>\n`;
  else if (comparison.state === 'text') {
    const isLink = half.before.kind === 'symlink' || half.after.kind === 'symlink';
    const fold = foldOf(lineCount);
    yield `${fold.start}<div class="d" role="group" aria-label="${isLink ? 'Link text' : 'Changed lines'} of ${name}">\n`;
    yield* textDiffMarkup(comparison, isLink ? 'link' : 'file');
    yield `</div>${fold.end}\n`;
  } else yield `<p class="n">${textMarkup(describeHidden(half, comparison.state))}</p>\n`;
}
