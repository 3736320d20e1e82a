import { decodeName, encodeName } from '../../bytes';
import type { PathChange, View } from './change';
import { type Comparison, compareContent, type Half, halvesOf, pathWithSlash, sizeOf } from './comparison';
import { displayName, escapeLine } from '../text/display';
import { countOf, groupEdits, type Hunk, lineAt, type Lines } from './hunks';
import type { Paint } from '../text/paint';

/**
 * A change as a patch in git's format, without `index` lines; `git apply` and `patch -p1` take it.
 *
 * What git knows nothing of is in lines `# PATH: …`, which both skip: notes, owners, directories, special files, and files
 * whose content is not shown. Those stand before the header that they go with: after one, git takes them for its end, and
 * a header that says nothing git knows spoils the next (seen in git 2.39).
 *
 * @param show how a line of content is shown; `escapeLine` where a terminal obeys it. Unless it is given, the bytes of the
 *   patch (see `encodeName`) are exactly those of the files.
 */
export function renderPatch(change: PathChange, paint: Paint, show: (line: string) => string = asItIs): string {
  const pen = { paint, show };
  const lines = change.notes.map((note) => comment(pen, pathWithSlash(change), note));
  for (const half of halvesOf(change)) for (const line of linesOf(half, pen)) lines.push(line);
  return lines.map((line) => `${line}\n`).join('');
}

interface Pen {
  readonly paint: Paint;
  readonly show: (line: string) => string;
}

function asItIs(line: string): string {
  return line;
}

function comment({ paint }: Pen, name: string, text: string): string {
  return paint.yellow(`# ${displayName(name)}: ${escapeLine(text)}`);
}

function* linesOf(half: Half, pen: Pen): Generator<string> {
  const comparison = compareContent(half);
  const isHidden = comparison.state === 'withheld' || comparison.state === 'unreadable';
  const kind = half.before.kind === 'absent' ? half.after.kind : half.before.kind;
  const isForGit = (kind === 'file' || kind === 'symlink') && !isHidden;
  const facts = isForGit ? ownerFacts(half) : objectFacts(half);
  if (isHidden) facts.push(describeHidden(half, comparison.state));
  for (const fact of facts) yield comment(pen, pathWithSlash(half), fact);
  if (isForGit) yield* gitLines(half, comparison, pen);
}

/** Why content is not shown, and how much it is. */
export function describeHidden(half: Half, state: 'withheld' | 'unreadable'): string {
  return `${REASONS[state]}; ${sizesOf(half)}`;
}

const REASONS = {
  withheld: 'content withheld: not everyone may read it (--show-secrets shows it)',
  unreadable: 'content not shown: no permission to read it',
} as const;

/** `120 bytes`, or `120 -> 130 bytes`. */
export function sizesOf({ before, after }: Half): string {
  const [old, next] = [sizeOf(before), sizeOf(after)];
  if (before.kind === 'absent' || after.kind === 'absent' || old === next) return `${Math.max(old, next)} bytes`;
  return `${old} -> ${next} bytes`;
}

/** Nothing to say of a file that comes or goes as root's. */
function ownerFacts({ before, after }: Half): string[] {
  const [old, next] = [ownershipOf(before)?.owner, ownershipOf(after)?.owner];
  if (old !== undefined && next !== undefined) return old === next ? [] : [`owner ${old} -> ${next}`];
  const owner = old ?? next ?? ROOT;
  return owner === ROOT ? [] : [`owner ${owner}`];
}

const ROOT = '0:0';

/** All there is to say, the content aside, where git says nothing. */
function objectFacts({ before, after }: Half): string[] {
  if (before.kind === 'absent') return [`new ${describe(after)}`];
  if (after.kind === 'absent') return [`deleted ${describe(before)}`];
  const [old, next] = [ownershipOf(before), ownershipOf(after)];
  return [
    ...(old?.mode === next?.mode ? [] : [`mode ${old?.mode} -> ${next?.mode}`]),
    ...(old?.owner === next?.owner ? [] : [`owner ${old?.owner} -> ${next?.owner}`]),
  ];
}

function describe(view: View): string {
  if (view.kind === 'special') return view.what;
  const ownership = ownershipOf(view);
  return ownership === undefined ? view.kind : `${view.kind} mode ${ownership.mode} owner ${ownership.owner}`;
}

function ownershipOf(view: View): { readonly mode: string; readonly owner: string } | undefined {
  if (view.kind !== 'file' && view.kind !== 'directory') return undefined;
  return { mode: view.mode.toString(8).padStart(4, '0'), owner: `${view.uid}:${view.gid}` };
}

function* gitLines({ path, before, after }: Half, comparison: Comparison, pen: Pen): Generator<string> {
  const { bold } = pen.paint;
  const modes = modeFacts(before, after);
  if (comparison.state === 'same' && modes.length === 0) return;
  const [a, b] = [displayName(`a${path}`), displayName(`b${path}`)];
  for (const line of [`diff --git ${a} ${b}`, ...modes]) yield bold(line);
  const old = before.kind === 'absent' ? NOTHING : a;
  const next = after.kind === 'absent' ? NOTHING : b;
  if (comparison.state === 'binary') yield bold(`Binary files ${old} and ${next} differ`);
  if (comparison.state !== 'text') return;
  for (const line of [`--- ${endName(old)}`, `+++ ${endName(next)}`]) yield bold(line);
  yield* hunkLines(comparison, pen);
}

const NOTHING = '/dev/null';

/** Where a name has a space, git ends it with a tab: patch(1) would take what follows the space for a date. */
function endName(name: string): string {
  return name.includes(' ') ? `${name}\t` : name;
}

/** What git says about modes, with all twelve bits. */
function modeFacts(before: View, after: View): string[] {
  const [old, next] = [gitModeOf(before), gitModeOf(after)];
  if (old === undefined) return next === undefined ? [] : [`new file mode ${next}`];
  if (next === undefined) return [`deleted file mode ${old}`];
  // git says in the index line that it is a link; patch(1) wants to be told, or refuses to change one.
  const isOtherLink = before.kind === 'symlink' && after.kind === 'symlink' && before.linkText !== after.linkText;
  return old !== next || isOtherLink ? [`old mode ${old}`, `new mode ${next}`] : [];
}

function gitModeOf(view: View): string | undefined {
  if (view.kind === 'symlink') return '120000';
  return view.kind === 'file' ? (0o100000 + view.mode).toString(8) : undefined;
}

function* hunkLines({ before, after, edits }: Comparison & { readonly state: 'text' }, pen: Pen): Generator<string> {
  let heading = '';
  let searched = 0;
  for (const hunk of groupEdits(edits, countOf(before))) {
    heading = headingIn(before, searched, hunk.before) ?? heading;
    searched = hunk.before;
    yield pen.paint.cyan(rangesOf(hunk)) + (heading === '' ? '' : ` ${pen.show(heading)}`);
    let at = hunk.before;
    for (const edit of hunk.edits) {
      yield* lines(before, at, edit.before, (text) => ` ${pen.show(text)}`);
      yield* lines(before, edit.before, edit.before + edit.removed, (text) => pen.paint.red(`-${pen.show(text)}`));
      yield* lines(after, edit.after, edit.after + edit.added, (text) => pen.paint.green(`+${pen.show(text)}`));
      at = edit.before + edit.removed;
    }
    yield* lines(before, at, hunk.before + hunk.beforeCount, (text) => ` ${pen.show(text)}`);
  }
}

function* lines(from: Lines, start: number, end: number, render: (text: string) => string): Generator<string> {
  for (let index = start; index < end; index += 1) {
    const bytes = lineAt(from, index);
    const isEnded = bytes.at(-1) === NEWLINE;
    yield render(decodeName(isEnded ? bytes.subarray(0, -1) : bytes));
    if (!isEnded) yield String.raw`\ No newline at end of file`;
  }
}

const NEWLINE = 0x0a;

/** The line that begins a hunk. */
export function rangesOf({ before, beforeCount, after, afterCount }: Hunk): string {
  return `@@ -${range(before, beforeCount)} +${range(after, afterCount)} @@`;
}

/** Lines count from 1; an empty range is named by the line before it. */
function range(start: number, count: number): string {
  if (count === 1) return String(start + 1);
  return `${count === 0 ? start : start + 1},${count}`;
}

/** The last line from `start` up to `end` that begins with a letter, `_` or `$`: git shows it with a hunk, cut to 80 bytes. */
function headingIn(text: Lines, start: number, end: number): string | undefined {
  for (let index = end - 1; index >= start; index -= 1) {
    const line = lineAt(text, index);
    if (!/[A-Za-z_$]/u.test(String.fromCharCode(line[0] ?? 0))) continue;
    const bytes = line.subarray(0, HEADING_BYTES);
    const length = bytes.findLastIndex((byte) => !SPACES.includes(byte)) + 1;
    const heading = decodeName(bytes.subarray(0, length));
    return heading.slice(0, heading.search(/\p{Cs}|$/u));
  }
  return undefined;
}

const HEADING_BYTES = 80;
const SPACES = encodeName(' \t\n\r');
