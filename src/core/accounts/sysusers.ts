import { ActivateError } from '../errors';

/** Where a line is from, as the closure's author knows it: `usr/lib/sysusers.d/web.conf`, line 3. */
export interface Origin {
  readonly file: string;
  readonly line: number;
}

/** What a line says about an id: a number, that of who owns a path, or nothing. */
export type WantedId =
  | { readonly kind: 'number'; readonly id: number }
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'any' };

/** One line of a sysusers.d(5) file: its text, and as much of what it means as matters before systemd-sysusers runs. */
export type SysusersLine = { readonly text: string; readonly at: Origin } & (
  | {
      readonly kind: 'user';
      readonly name: string;
      readonly id: WantedId;
      /** The primary group by number or name; without it a group of the user's own name. */
      readonly group?: number | string;
    }
  | { readonly kind: 'group'; readonly name: string; readonly id: WantedId }
  | { readonly kind: 'member'; readonly name: string; readonly group: string }
  | { readonly kind: 'range' }
);

/** The directories of a closure that hold such files, as in systemd: a file hides those of its name in the ones behind. */
export const SYSUSERS_DIRECTORIES = ['/etc/sysusers.d', '/usr/lib/sysusers.d', '/lib/sysusers.d'] as const;

/**
 * Reads one sysusers.d(5) file.
 *
 * @throws {ActivateError} `CLOSURE` for what systemd-sysusers would refuse, or would take for something else on another
 *   machine; the path is `file:line`
 */
export function parseSysusers(text: string, file: string): SysusersLine[] {
  return text.split('\n').flatMap((line, index) => {
    const stripped = line.trim();
    return stripped === '' || stripped.startsWith('#') ? [] : [parseLine(stripped, { file, line: index + 1 })];
  });
}

/** All lines in one text, each below a comment that says where it is from. */
export function renderSysusers(lines: readonly SysusersLine[]): string {
  return lines.map(({ text, at }) => `# ${nameOrigin(at)}\n${text}\n`).join('');
}

/**
 * The inverse of {@link renderSysusers}.
 *
 * @throws {ActivateError} `CLOSURE`
 */
export function parseRenderedSysusers(text: string): SysusersLine[] {
  const lines = text.split('\n');
  return lines.flatMap((line, index) => {
    if (line === '' || line.startsWith('#')) return [];
    const [, file = 'sysusers.conf', number = ''] = /^# (.*):(\d+)$/u.exec(lines[index - 1] ?? '') ?? [];
    return [parseLine(line, { file, line: number === '' ? index + 1 : Number(number) })];
  });
}

/** `usr/lib/sysusers.d/web.conf:3` */
export function nameOrigin({ file, line }: Origin): string {
  return `${file}:${line}`;
}

/** The lines that count: of several for one user or group systemd-sysusers takes the first. */
export function effectiveLines(lines: readonly SysusersLine[]): SysusersLine[] {
  const seen = new Set<string>();
  return lines.filter((line) => {
    if (line.kind !== 'user' && line.kind !== 'group') return true;
    const key = `${line.kind} ${line.name}`;
    return !seen.has(key) && seen.add(key);
  });
}

function parseLine(text: string, at: Origin): SysusersLine {
  const words = splitWords(text);
  if (words === undefined) throw malformed(at, 'a quotation mark is not closed');
  const [type = '', name = '', id = ''] = words;
  switch (type) {
    case 'u':
    case 'u!':
      return { text, at, kind: 'user', name: checkName(name, at), ...parseUserId(id, at) };
    case 'g':
      return { text, at, kind: 'group', name: checkName(name, at), id: parseId(id, at) };
    case 'm':
      return { text, at, kind: 'member', name: checkName(name, at), group: checkName(id, at) };
    case 'r':
      return { text, at, kind: 'range' };
    default:
      throw malformed(at, `there is no line of type ${JSON.stringify(type)}`);
  }
}

/** A user's id may come with a group: `33:44`, `33:www`, `-:www`. */
function parseUserId(text: string, at: Origin): { readonly id: WantedId; readonly group?: number | string } {
  const colon = text.startsWith('/') ? -1 : text.indexOf(':');
  if (colon < 0) return { id: parseId(text, at) };
  const group = text.slice(colon + 1);
  return {
    id: parseId(text.slice(0, colon), at),
    group: /^\d+$/u.test(group) ? checkNumber(group, at) : checkName(group, at),
  };
}

function parseId(text: string, at: Origin): WantedId {
  if (text === '' || text === '-') return { kind: 'any' };
  if (text.startsWith('/')) return { kind: 'path', path: text };
  return { kind: 'number', id: checkNumber(text, at) };
}

function checkNumber(text: string, at: Origin): number {
  const id = /^(?:0|[1-9]\d{0,9})$/u.test(text) ? Number(text) : Number.NaN;
  if (id <= HIGHEST_ID && id !== OLD_NOBODY) return id;
  throw malformed(at, `${JSON.stringify(text)} is no id`);
}

const HIGHEST_ID = 0xff_ff_ff_fe;
const OLD_NOBODY = 0xff_ff;

/** With specifiers (`%b`) a name would be another one on each machine. */
function checkName(text: string, at: Origin): string {
  if (/^[A-Za-z_][\w-]{0,30}$/u.test(text)) return text;
  throw malformed(at, text === '' ? 'a name is missing' : `${JSON.stringify(text)} is no name of a user or group`);
}

function malformed(at: Origin, why: string): ActivateError {
  return new ActivateError('CLOSURE', why, { path: nameOrigin(at), hint: 'Mend the line: see sysusers.d(5).' });
}

/** Splits a line as systemd does: quotes group, a backslash takes away what the next character means. */
function splitWords(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === '\\') {
      at += 1;
      word = (word ?? '') + (text[at] ?? '');
    } else if (quote !== '') {
      if (character === quote) quote = '';
      else word = (word ?? '') + character;
    } else if (character === '"' || character === "'") {
      quote = character;
      word ??= '';
    } else if (/[ \t\r]/u.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + character;
  }
  if (word !== undefined) words.push(word);
  return quote === '' ? words : undefined;
}
