import { ActivateError } from '../errors';

/** A table of a policy file, for messages. */
export interface Spot {
  readonly file: string;
  /** What the names of its keys are preceded by: nothing, or e.g. `path[2].`. */
  readonly keyPrefix: string;
  /** The line of its header, where that is known. */
  readonly line?: number | undefined;
}

/** What a key may hold. */
export interface Key<Value> {
  /** In the words of a message: `Allowed is …`. */
  readonly allowed: string;
  /** `undefined` for what is not allowed. */
  readonly read: (value: unknown) => Value | undefined;
}

type Keys = Readonly<Record<string, Key<unknown>>>;

type Values<Table extends Keys> = { [Name in keyof Table]?: Table[Name] extends Key<infer Value> ? Value : never };

/**
 * Reads a table; keys that it does not have are missing in the result as well.
 *
 * @throws {ActivateError} `POLICY` for an unknown key, or a value that is not allowed
 */
export function readTable<Table extends Keys>(value: unknown, keys: Table, spot: Spot): Values<Table> {
  if (!isTable(value)) {
    throw complaint(
      spot,
      '',
      `${showValue(value)} is no table`,
      `Allowed is a table with ${listWords(Object.keys(keys))}.`,
    );
  }
  const values: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const key = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (key === undefined) throw unknownKey(spot, name, Object.keys(keys));
    const read = key.read(value[name]);
    if (read === undefined)
      throw complaint(spot, name, `${showValue(value[name])} is not allowed`, `Allowed is ${key.allowed}.`);
    values[name] = read;
  }
  return values as Values<Table>;
}

export function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value) as null)
  );
}

/** One of several words. */
export function wordKey<Word extends string>(...words: readonly Word[]): Key<Word> {
  const quoted = words.map((word) => JSON.stringify(word));
  return { allowed: listWords(quoted, 'or'), read: (value) => words.find((word) => word === value) };
}

/** What is wrong with a key of a table; or with the table itself, where `name` is empty. */
export function complaint({ file, keyPrefix, line }: Spot, name: string, problem: string, hint: string): ActivateError {
  const key =
    name === '' ? keyPrefix.slice(0, -1) : keyPrefix + shorten(/^[\w-]+$/u.test(name) ? name : JSON.stringify(name));
  const where = line === undefined ? '' : ` (the table at line ${line})`;
  return new ActivateError('POLICY', key === '' ? problem : `${key}${where}: ${problem}`, { path: file, hint });
}

function unknownKey(spot: Spot, name: string, known: readonly string[]): ActivateError {
  const meant = closestWord(name, known);
  const question = meant === undefined ? '' : `Did you mean ${meant}? `;
  return complaint(spot, name, 'there is no such key', `${question}The keys here are ${listWords(known)}.`);
}

function listWords(words: readonly string[], conjunction = 'and'): string {
  return `${words.slice(0, -1).join(', ')} ${conjunction} ${words.at(-1) ?? ''}`;
}

/** A value as it would be written, in a few words. */
function showValue(value: unknown): string {
  if (typeof value === 'string') return shorten(JSON.stringify(value));
  if (Array.isArray(value)) return 'a list';
  if (isTable(value)) return 'a table';
  return typeof value === 'object' && value !== null ? 'a date' : String(value);
}

const MOST_CHARACTERS = 80;

function shorten(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS)}…`;
}

const MOST_MISTAKES = 2;

/** The one of `words` that somebody may have meant: at most two characters more, fewer or different. */
function closestWord(text: string, words: readonly string[]): string | undefined {
  const candidates = words.filter((word) => Math.abs(word.length - text.length) <= MOST_MISTAKES);
  const ranked = candidates.map((word) => ({ word, distance: editDistance(text, word) }));
  return ranked.toSorted((a, b) => a.distance - b.distance).find(({ distance }) => distance <= MOST_MISTAKES)?.word;
}

/** How many characters must be inserted, removed or replaced to make one text of the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
