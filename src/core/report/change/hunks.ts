import { diffArrays } from 'diff';

/** A text and its lines; each has its newline, which the last one may lack. */
export interface Lines {
  readonly bytes: Uint8Array;
  /** Where each line begins, and at the end where the last one ends. */
  readonly offsets: readonly number[];
}

/** Lines that one text has in place of another's; `before` and `after` count from 0. */
export interface Edit {
  readonly before: number;
  readonly removed: number;
  readonly after: number;
  readonly added: number;
}

/** Edits that are shown together with the lines around them; the counts include those. */
export interface Hunk {
  readonly before: number;
  readonly beforeCount: number;
  readonly after: number;
  readonly afterCount: number;
  readonly edits: readonly Edit[];
}

const NEWLINE = 0x0a;
/** How many unchanged lines a hunk has on each side, as in git. */
const CONTEXT = 3;
/** The longest edit script that is looked for; looking takes its square. */
const MOST_EDITS = 2000;
/** How much comparing is worth while: the product of edits and lines. */
const MOST_WORK = 1_000_000_000;

/** Finds the lines of a text; nothing is copied, and an empty text has none. */
export function splitLines(bytes: Uint8Array): Lines {
  const offsets = [0];
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) offsets.push(at + 1);
  if (offsets.at(-1) !== bytes.length) offsets.push(bytes.length);
  return { bytes, offsets };
}

/** How many lines a text has. */
export function countOf({ offsets }: Lines): number {
  return offsets.length - 1;
}

/** The bytes of a line, with its newline. */
export function lineAt({ bytes, offsets }: Lines, index: number): Uint8Array {
  return bytes.subarray(offsets[index], offsets[index + 1]);
}

/**
 * The fewest lines that make `after` out of `before`, in order.
 *
 * Where the texts have so little in common that this would take long, everything between the first and the last
 * difference is one edit. That depends on the texts alone, never on the clock: the same texts have the same edits.
 */
export function compareLines(before: Lines, after: Lines): Edit[] {
  const [old, next] = [countOf(before), countOf(after)];
  const most = Math.min(old, next);
  let head = 0;
  while (head < most && isSameLine(before, head, after, head)) head += 1;
  let tail = 1;
  while (tail <= most - head && isSameLine(before, old - tail, after, next - tail)) tail += 1;
  const removed = old - head - tail + 1;
  const added = next - head - tail + 1;
  if (removed === 0 && added === 0) return [];
  const whole = { before: head, removed, after: head, added };
  return removed === 0 || added === 0 ? [whole] : shortestEdits(before, after, whole);
}

/** Compares without slicing: there may be millions of lines. */
function isSameLine(a: Lines, indexA: number, b: Lines, indexB: number): boolean {
  const startA = a.offsets[indexA] ?? 0;
  const startB = b.offsets[indexB] ?? 0;
  const length = (a.offsets[indexA + 1] ?? 0) - startA;
  if ((b.offsets[indexB + 1] ?? 0) - startB !== length) return false;
  for (let at = 0; at < length; at += 1) if (a.bytes[startA + at] !== b.bytes[startB + at]) return false;
  return true;
}

function shortestEdits(before: Lines, after: Lines, whole: Edit): Edit[] {
  const numbers = new Map<string, number>();
  const old = numberLines(before, { start: whole.before, count: whole.removed }, numbers);
  const next = numberLines(after, { start: whole.after, count: whole.added }, numbers);
  const edits: Edit[] = [];
  let at: KeptLine = { before: 0, after: 0 };
  for (const line of [...keptLines(old, next), { before: old.length, after: next.length }]) {
    const removed = line.before - at.before;
    const added = line.after - at.after;
    if (removed + added > 0)
      edits.push({ before: whole.before + at.before, removed, after: whole.after + at.after, added });
    at = { before: line.before + 1, after: line.after + 1 };
  }
  return settle(edits, before, after);
}

/** Moves edits down past lines that repeat, as git does: what is added after a block ends is shown as a block of its own. */
function settle(edits: readonly Edit[], before: Lines, after: Lines): Edit[] {
  return edits.map((edit, index) => {
    const room = (edits[index + 1]?.before ?? countOf(before)) - endOf(edit);
    let shift = 0;
    if (edit.added === 0) shift = countRepeats(before, { start: edit.before, length: edit.removed, room });
    else if (edit.removed === 0) shift = countRepeats(after, { start: edit.after, length: edit.added, room });
    return shift === 0 ? edit : { ...edit, before: edit.before + shift, after: edit.after + shift };
  });
}

/** How many lines from `start` on equal those `length` further down; `room` at most. */
function countRepeats(text: Lines, { start, length, room }: { start: number; length: number; room: number }): number {
  let count = 0;
  while (count < room && isSameLine(text, start + count, text, start + count + length)) count += 1;
  return count;
}

/** Where a line that stays is in each text. */
interface KeptLine {
  readonly before: number;
  readonly after: number;
}

/** None where finding them would take long. */
function keptLines(before: readonly number[], after: readonly number[]): KeptLine[] {
  const common = new Set(before).intersection(new Set(after));
  const left = indicesOf(before, common);
  const right = indicesOf(after, common);
  const maxEditLength = Math.min(MOST_EDITS, Math.ceil(MOST_WORK / Math.max(left.length + right.length, 1)));
  const runs = diffArrays(pick(before, left), pick(after, right), { maxEditLength });
  if (runs === undefined) return [];
  const kept: KeptLine[] = [];
  let atLeft = 0;
  let atRight = 0;
  for (const { added, removed, count } of runs) {
    if (!added && !removed) {
      for (let step = 0; step < count; step += 1)
        kept.push({ before: left[atLeft + step] ?? 0, after: right[atRight + step] ?? 0 });
    }
    if (!added) atLeft += count;
    if (!removed) atRight += count;
  }
  return kept;
}

/** Where the lines are that occur in both texts: no other can be kept, and leaving them out saves nearly all the work. */
function indicesOf(numbers: readonly number[], common: ReadonlySet<number>): number[] {
  return numbers.flatMap((number, index) => (common.has(number) ? [index] : []));
}

function pick(numbers: readonly number[], indices: readonly number[]): number[] {
  return indices.map((index) => numbers[index] ?? 0);
}

/** Every byte is one character of its own: different lines have different keys, whatever their encoding. */
const keys = new TextDecoder('latin1');

interface Range {
  readonly start: number;
  readonly count: number;
}

/** Numbers instead of lines, equal where the lines are: comparing those takes no time. */
function numberLines(lines: Lines, { start, count }: Range, numbers: Map<string, number>): number[] {
  return Array.from({ length: count }, (_, index) => {
    const key = keys.decode(lineAt(lines, start + index));
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    return number;
  });
}

/** Edits with the lines around them; two whose surroundings touch are in one hunk. */
export function groupEdits(edits: readonly Edit[], lineCount: number): Hunk[] {
  const groups: Edit[][] = [];
  for (const edit of edits) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group === undefined || last === undefined || edit.before - endOf(last) > 2 * CONTEXT) groups.push([edit]);
    else group.push(edit);
  }
  return groups.flatMap((group) => surround(group, lineCount) ?? []);
}

function surround(edits: readonly Edit[], lineCount: number): Hunk | undefined {
  const first = edits[0];
  const last = edits.at(-1);
  if (first === undefined || last === undefined) return undefined;
  const lead = Math.min(CONTEXT, first.before);
  const trail = Math.min(CONTEXT, lineCount - endOf(last));
  const before = first.before - lead;
  const after = first.after - lead;
  return {
    before,
    beforeCount: endOf(last) + trail - before,
    after,
    afterCount: last.after + last.added + trail - after,
    edits,
  };
}

function endOf(edit: Edit): number {
  return edit.before + edit.removed;
}
