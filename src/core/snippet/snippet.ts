import { lengthInBytes } from '../bytes';
import type { Ownership } from '../entry';
import type { TargetPath } from '../path';

/** One line of a snippet: what systemd-tmpfiles does at one path. */
export type SnippetLine = Action & { readonly path: TargetPath };

type Action =
  /** A link that replaces another one in one step. Never over a directory: that would be deleted with all that is in it. */
  | { readonly type: 'pointer'; readonly linkText: string }
  /** A link where nothing is; whatever is there stays, in silence. */
  | { readonly type: 'link'; readonly linkText: string }
  /** A directory; one that is there keeps its mode and owner. */
  | (Ownership & { readonly type: 'directory' })
  /** A directory that gets its mode and owner even where it is there already. */
  | (Ownership & { readonly type: 'named-directory' })
  /** A copy of a file. A file that is there keeps its content, but gets the mode and owner each time. */
  | (Ownership & { readonly type: 'copy'; readonly source: string })
  /** A copy of a directory with all that is in it, or of a file, with modes and owners; what is there stays as it is. */
  | { readonly type: 'copy-tree'; readonly source: string }
  /** A link, file or empty directory goes; where nothing is, nothing happens. */
  | { readonly type: 'remove' };

/** The text of a snippet: the comment above, then one line each. Its bytes are those that `encodeName` gives. */
export function renderSnippet(comment: readonly string[], lines: readonly SnippetLine[]): string {
  let text = '';
  for (const each of comment) text += `# ${each.replaceAll(/[\x00-\x1f\x7f]/gu, hexEscape)}\n`;
  for (const line of lines) text += `${renderLine(line)}\n`;
  return text;
}

/**
 * One line of a snippet, right for systemd 252 and later, without the newline at its end.
 *
 * Numbers only: users and groups are looked up in another place with `--root`, and at boot they may not be there yet.
 *
 * @throws {TypeError} for a path with a newline: the rest of it would be a line of its own. {@link whyNotRepresentable}
 *   comes first.
 * @see tmpfiles.d(5)
 */
export function renderLine(line: SnippetLine): string {
  switch (line.type) {
    case 'pointer':
      return `L+ ${pathField(line.path)} - - - - ${argument(line.linkText)}`;
    case 'link':
      return `L ${pathField(line.path)} - - - - ${argument(line.linkText)}`;
    case 'directory':
      return `d ${pathField(line.path)} ${isUsual(line) ? '- - -' : `:${octal(line.mode)} :${line.uid} :${line.gid}`}`;
    case 'named-directory':
      return `d ${pathField(line.path)} ${octal(line.mode)} ${line.uid} ${line.gid}`;
    case 'copy':
      return `C ${pathField(line.path)} ${octal(line.mode)} ${line.uid} ${line.gid} - ${argument(line.source)}`;
    case 'copy-tree':
      return `C ${pathField(line.path)} - - - - ${argument(line.source)}`;
    case 'remove':
      return `r ${pathField(globEscape(line.path))}`;
  }
}

/** What systemd-tmpfiles makes unless it is told otherwise. */
function isUsual({ mode, uid, gid }: Ownership): boolean {
  return mode === 0o755 && uid === 0 && gid === 0;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}

/** Text that means itself in every field. Most names are like that, and cost one look. */
const PLAIN = /^[\w./:@+=][\w./:@+=-]*$/;

const ENDS_LINE = /[\n\r\0]/;

/** In quotes everything but quotes, backslashes and specifiers means itself. */
function pathField(path: string): string {
  if (PLAIN.test(path)) return path;
  if (ENDS_LINE.test(path)) throw new TypeError(`a snippet cannot name ${JSON.stringify(path)}`);
  return `"${path.replaceAll(/["\\]/g, String.raw`\$&`).replaceAll('%', '%%')}"`;
}

/** A path that is taken as a glob(7) pattern, and is to match itself alone. */
function globEscape(path: string): string {
  return PLAIN.test(path) ? path : path.replaceAll(/[*?[\]{},~\\]/g, String.raw`\$&`);
}

/**
 * The last field runs to the end of the line and is never quoted: it has escapes as in C instead.
 *
 * An empty one would mean a file below /usr/share/factory; no link has an empty text, and this escape makes the line
 * fail.
 */
function argument(text: string): string {
  if (PLAIN.test(text)) return text;
  if (text === '') return String.raw`\x00`;
  if (text === '-') return String.raw`\x2d`;
  return text.replaceAll(/[\x00-\x20\x7f"\\\udc80-\udcff]/gu, hexEscape).replaceAll('%', '%%');
}

/** One byte, as `\xHH`: an ASCII character, or a byte that is not UTF-8. */
function hexEscape(character: string): string {
  return String.raw`\x${(character.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`;
}

/** In bytes, without the NUL at the end; for the kernel as for systemd-tmpfiles. */
const LONGEST = { name: 255, path: 4095, argument: 4095 } as const;

/** Leaves room for what goes before a path in texts and sources: the pointer, a generation's tree, a store path. */
const LONGEST_TARGET = 4000;

/**
 * Why systemd-tmpfiles could not do what a line says, or anything at all at a path; `undefined` where it can.
 *
 * One line that is too long would make it refuse a snippet as a whole. With `--root` the root counts as part of the path;
 * it is not known here.
 */
export function whyNotRepresentable(what: TargetPath | SnippetLine): string | undefined {
  if (typeof what === 'string') return whyNotPath(what) ?? tooLong('path', globEscape(what), LONGEST_TARGET);
  return (
    whyNotPath(what.path) ??
    tooLong('path', what.type === 'remove' ? globEscape(what.path) : what.path, LONGEST.path) ??
    whyNotArgument(what) ??
    whyNotOwner(what)
  );
}

function whyNotPath(path: TargetPath): string | undefined {
  if (path.length <= LONGEST.name && PLAIN.test(path)) return undefined;
  if (path.includes('\n')) return 'systemd-tmpfiles cannot be told of a name with a newline';
  if (path.includes('\r')) return 'systemd-tmpfiles cannot be told of a name with a carriage return';
  const longest = path.split('/').find((name) => lengthInBytes(name) > LONGEST.name);
  return longest === undefined ? undefined : tooLong('name', longest, LONGEST.name);
}

function whyNotArgument(line: SnippetLine): string | undefined {
  if ('linkText' in line) {
    return line.linkText === '' ? 'a link cannot be empty' : tooLong('link text', line.linkText, LONGEST.argument);
  }
  if (!('source' in line)) return undefined;
  return line.source.startsWith('/')
    ? tooLong('source', line.source, LONGEST.argument)
    : 'the source has to be an absolute path';
}

/** To systemd 65535 is no user: on old systems it was the 16-bit "nobody in particular". */
function whyNotOwner(line: SnippetLine): string | undefined {
  if (!('uid' in line)) return undefined;
  const refused = [line.uid, line.gid].find((id) => id === 0xff_ff || id === 0xff_ff_ff_ff);
  return refused === undefined ? undefined : `systemd-tmpfiles refuses ${refused} as a user or group`;
}

function tooLong(what: string, text: string, longest: number): string | undefined {
  // A character has at most three bytes for each of its UTF-16 units.
  if (text.length * 3 <= longest) return undefined;
  const length = lengthInBytes(text);
  return length <= longest
    ? undefined
    : `the ${what} is too long: it takes ${length} bytes, where ${longest} are possible`;
}
