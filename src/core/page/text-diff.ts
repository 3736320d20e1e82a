import { decodeName } from '../bytes';
import type { Comparison } from '../report/change/comparison';
import { escapeLine } from '../report/text/display';
import { countOf, type Edit, groupEdits, lineAt, type Lines } from '../report/change/hunks';
import { rangesOf } from '../report/change/patch';
import { plural } from '../report/report';
import { alignLines, type Pair } from './aligning';
import { textMarkup } from './markup';

type TextComparison = Comparison & { readonly state: 'text' };

/** What a browser takes without stopping to answer; beyond it, a text is not read but searched. */
const MOST_LINES = 5000;

/** How many lines a diff of texts shows at most, those around the changes included. */
export function lineCountOf({ before, edits }: TextComparison): number {
  const hunks = groupEdits(edits, countOf(before));
  return hunks.reduce((sum, { beforeCount, edits: own }) => sum + beforeCount + addedBy(own), 0);
}

function addedBy(edits: readonly Edit[]): number {
  return edits.reduce((sum, { added }) => sum + added, 0);
}

/**
 * The lines that differ and those around them, one element a line, in the order of a patch. The style sheet alone puts them
 * below or beside each other: old and new lines of one edit are in one `div`, and a line has the row of its counterpart. Lines
 * of the markup end within tags: between them each would cost browsers a node.
 */
export function* textDiffMarkup(comparison: TextComparison, of: 'file' | 'link'): Generator<string> {
  const { before, edits } = comparison;
  let room = MOST_LINES;
  for (const hunk of groupEdits(edits, countOf(before))) {
    if (room <= 0) break;
    yield `<p\nclass="h">${rangesOf(hunk)}</p>`;
    let [at, shift] = [hunk.before, hunk.after - hunk.before];
    for (const edit of hunk.edits) {
      if (room <= 0) break;
      yield contextMarkup(before, { start: at, end: edit.before, shift });
      yield editMarkup(comparison, edit, room);
      room -= edit.removed + edit.added;
      at = edit.before + edit.removed;
      shift = edit.after + edit.added - at;
    }
    if (room > 0) yield contextMarkup(before, { start: at, end: hunk.before + hunk.beforeCount, shift });
  }
  const hidden = edits.reduce((sum, { removed, added }) => sum + removed + added, 0) - MOST_LINES;
  if (hidden > 0)
    yield `<p class="n">${plural(hidden, 'more changed line')} not in this page: activate diff shows them.</p>\n`;
  if (of === 'file') yield endMarkup(comparison);
}

/** Lines that stay; `shift` is how much further down they are after. The style sheet shows each on both sides. */
function contextMarkup(
  before: Lines,
  { start, end, shift }: { readonly start: number; readonly end: number; readonly shift: number },
): string {
  let markup = '';
  for (let index = start; index < end; index += 1) {
    const text = textMarkup(lineOf(before, index));
    const [old, next] = [numberAt(index), numberAt(index + shift)];
    markup += `<span\ndata-o="${old}" data-n="${next}" data-t="${text}">${text}</span>`;
  }
  return markup;
}

function editMarkup({ before, after }: TextComparison, edit: Edit, room: number): string {
  const removed = Math.min(edit.removed, room);
  const added = Math.min(edit.added, room - removed);
  const pairs = alignLines(linesOf(before, edit.before, removed), linesOf(after, edit.after, added));
  const old = sideMarkup(pairs, 'before', edit.before);
  const next = sideMarkup(pairs, 'after', edit.after);
  return `<div\nclass="e">${old}${next}</div>`;
}

const SIDES = { before: { tag: 'del', numbers: 'data-o' }, after: { tag: 'ins', numbers: 'data-n' } } as const;

/** A line says which row is its own where that is not the next one. */
function sideMarkup(pairs: readonly Pair[], side: keyof typeof SIDES, start: number): string {
  const { tag, numbers } = SIDES[side];
  let markup = '';
  let count = 0;
  pairs.forEach((pair, index) => {
    const line = pair[side];
    if (line === undefined) return;
    const row = index === count ? '' : ` style="grid-row:${index + 1}"`;
    markup += `<${tag} ${numbers}="${numberAt(start + count)}"${row}>${line}</${tag}>`;
    count += 1;
  });
  return markup;
}

const DIGITS = 5;

function numberAt(index: number): string {
  return String(index + 1).padStart(DIGITS);
}

function linesOf(lines: Lines, start: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => escapeLine(lineOf(lines, start + index)));
}

function lineOf(lines: Lines, index: number): string {
  const bytes = lineAt(lines, index);
  return decodeName(bytes.at(-1) === NEWLINE ? bytes.subarray(0, -1) : bytes);
}

const NEWLINE = 0x0a;

function endMarkup({ before, after }: TextComparison): string {
  const [old, next] = [before, after].map(({ bytes }) => bytes.length > 0 && bytes.at(-1) !== NEWLINE);
  if (old !== true && next !== true) return '';
  const which = old === next ? 'before and after' : old === true ? 'before' : 'after';
  return `<p class="n">No newline at the end of the file ${which}.</p>\n`;
}
