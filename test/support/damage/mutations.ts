/** A whole number from 0 up to, but not including, `below`; the same seed gives the same numbers. */
export type Random = (below: number) => number;

/** Mulberry32: small, and good enough to choose with. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random(items.length)] as Item;
}

/** Another content for a file, and what was done to get it, in a few words that lead back to it. */
export interface Mutation {
  readonly what: string;
  readonly bytes: Buffer;
}

/** Values that a person, a bug or a broken disk could leave where a good one was; the same for every record. */
export interface Values {
  readonly paths: readonly string[];
  readonly numbers: readonly number[];
}

/** Half of the mutations know what JSON is, the others are about bytes. */
export function mutateJson(bytes: Buffer, random: Random, values: Values): Mutation {
  return random(3) === 0 ? mutateBytes(bytes, random) : mutateDocument(bytes, random, values);
}

const fragments = ['"', '{', '}', '[', ']', '\n', '0', '-', ',', ':', '\0', '\\', '\\u0000', 'x', '\u00e4', '../'].map(
  (text) => Buffer.from(text),
);
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const notText = [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]].map((bytes) => Buffer.from(bytes));

/** Cut off, a bit or a byte wrong, something too much: what happens to files of any format. */
export function mutateBytes(bytes: Buffer, random: Random): Mutation {
  const at = random(bytes.length + 1);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const put = (what: string, middle: Buffer, skipped: number): Mutation => ({
    what: `${what} at byte ${at}`,
    bytes: Buffer.concat([before, middle, after.subarray(skipped)]),
  });
  switch (random(10)) {
    case 0:
      return { what: `cut off after byte ${at}`, bytes: before };
    case 1:
      return put('a bit wrong', Buffer.from([(bytes[at] ?? 0) ^ (1 << random(8))]), 1);
    case 2: {
      const fragment = pick(random, fragments);
      return put(`${JSON.stringify(String(fragment))} instead`, fragment, 1);
    }
    case 3: {
      const fragment = pick(random, fragments);
      return put(`${JSON.stringify(String(fragment))} too much`, fragment, 0);
    }
    case 4:
      return put('bytes that are not text', pick(random, notText), random(2));
    case 5: {
      const length = 1 + random(40);
      return put(`${length} bytes missing`, Buffer.alloc(0), length);
    }
    default:
      return mutateWhole(bytes, random);
  }
}

function mutateWhole(bytes: Buffer, random: Random): Mutation {
  const all: readonly Mutation[] = [
    { what: 'empty', bytes: Buffer.alloc(0) },
    { what: 'a line break', bytes: Buffer.from('\n') },
    { what: 'as many NULs', bytes: Buffer.alloc(bytes.length) },
    { what: 'CRLF', bytes: Buffer.from(bytes.toString('latin1').replaceAll('\n', '\r\n'), 'latin1') },
    { what: 'a byte order mark', bytes: Buffer.concat([BOM, bytes]) },
    { what: 'trailing garbage', bytes: Buffer.concat([bytes, Buffer.from('}\n')]) },
    { what: 'trailing NULs', bytes: Buffer.concat([bytes, Buffer.alloc(64)]) },
    { what: 'twice', bytes: Buffer.concat([bytes, bytes]) },
    { what: 'deep nesting', bytes: Buffer.from('['.repeat(100_000)) },
    { what: 'a deep object', bytes: Buffer.from(`${'{"schema":'.repeat(20_000)}1${'}'.repeat(20_000)}`) },
    { what: 'UTF-16', bytes: Buffer.from(String(bytes), 'utf16le') },
    ...['null', '[]', '{}', '0', '"x"', '{"schema":1}', '{"schema":2}', '{"schema":0}', '{"schema":"1"}'].map(
      (text) => ({ what: text, bytes: Buffer.from(text) }),
    ),
  ];
  return pick(random, all);
}

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

type Place = readonly string[];

/** One value of a JSON document replaced, gone, twice, renamed or elsewhere. */
function mutateDocument(bytes: Buffer, random: Random, values: Values): Mutation {
  const document = JSON.parse(String(bytes)) as Json;
  const places = placesIn(document);
  const place = pick(random, places);
  const name = place.join('.');
  const finish = (what: string, changed: Json): Mutation => ({ what, bytes: inForm(changed, String(bytes)) });
  switch (random(8)) {
    case 0:
      return finish(
        `${name} gone`,
        edit(document, place, () => undefined),
      );
    case 1: {
      const key = pick(random, ['', '__proto__', 'constructor', 'x', 'path', 'aside', 'schema', '0']);
      return finish(`${name} renamed to ${key}`, rename(document, place, key));
    }
    case 2:
      return finish(`${name} twice`, twice(document, place));
    case 3: {
      const other = pick(random, places);
      const [value, otherValue] = [at(document, place), at(document, other)];
      const swapped = edit(edit(document, place, () => otherValue) ?? null, other, () => value);
      return finish(`${name} and ${other.join('.')} swapped`, swapped ?? null);
    }
    default: {
      const value = replacementFor(at(document, place), random, values);
      const shown = JSON.stringify(value) ?? 'nothing';
      return finish(
        `${name} = ${shown.slice(0, 80)}`,
        edit(document, place, () => value),
      );
    }
  }
}

/** Each place of a document that holds a text of a certain kind, with a document for each value that is put there. */
export function* replaceTexts(
  bytes: Buffer,
  isMeant: (text: string) => boolean,
  replacements: readonly string[],
): Generator<Mutation> {
  const document = JSON.parse(String(bytes)) as Json;
  for (const place of placesIn(document)) {
    const value = at(document, place);
    if (typeof value !== 'string' || !isMeant(value)) continue;
    for (const text of replacements) {
      if (text === value) continue;
      const what = `${place.join('.')} = ${JSON.stringify(text).slice(0, 80)}`;
      yield {
        what,
        bytes: inForm(
          edit(document, place, () => text),
          String(bytes),
        ),
      };
    }
  }
}

/** As {@link replaceTexts}, for numbers. */
export function* replaceNumbers(bytes: Buffer, replacements: readonly number[]): Generator<Mutation> {
  const document = JSON.parse(String(bytes)) as Json;
  for (const place of placesIn(document)) {
    if (typeof at(document, place) !== 'number') continue;
    for (const number of replacements) {
      if (number === at(document, place)) continue;
      yield {
        what: `${place.join('.')} = ${number}`,
        bytes: inForm(
          edit(document, place, () => number),
          String(bytes),
        ),
      };
    }
  }
}

/** Mostly of the same type, because another type is found out at once. */
function replacementFor(value: Json | undefined, random: Random, values: Values): Json {
  const isOther = random(4) === 0;
  if (typeof value === 'number' && !isOther) return pick(random, values.numbers);
  if (typeof value === 'string' && !isOther) return pick(random, values.paths);
  const any: readonly Json[] = [
    null,
    true,
    false,
    -1,
    1.5,
    2 ** 53,
    '',
    '/',
    '..',
    [],
    {},
    [[]],
    [null],
    { schema: 1 },
  ];
  return pick(random, [...any, pick(random, values.paths), pick(random, values.numbers)]);
}

/** Every value of a document that is not the document itself; of long lists the beginning and the end. */
function placesIn(value: Json | undefined, above: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return above.length === 0 ? [] : [above];
  const children = Object.entries(value).flatMap(([key, child]) => placesIn(child, [...above, key]));
  return above.length === 0 ? children : [above, ...children];
}

function at(value: Json | undefined, place: Place): Json | undefined {
  const [key, ...rest] = place;
  if (key === undefined || typeof value !== 'object' || value === null) return value;
  return at((value as Record<string, Json>)[key], rest);
}

function edit(value: Json, place: Place, change: (value: Json) => Json | undefined): Json {
  return editAt(value, place, change) ?? null;
}

function editAt(value: Json, [key, ...rest]: Place, change: (value: Json) => Json | undefined): Json | undefined {
  if (key === undefined) return change(value);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).flatMap(([name, child]) => {
    const edited = name === key ? editAt(child, rest, change) : child;
    return edited === undefined ? [] : [[name, edited] as const];
  });
  return Array.isArray(value) ? entries.map(([, child]) => child) : Object.fromEntries(entries);
}

function rename(document: Json, place: Place, to: string): Json {
  const last = place.at(-1);
  return edit(document, place.slice(0, -1), (parent) => {
    if (typeof parent !== 'object' || parent === null || Array.isArray(parent)) return parent;
    return Object.fromEntries(Object.entries(parent).map(([key, value]) => [key === last ? to : key, value]));
  });
}

/** An item of a list again, right after itself; anything else becomes a list of itself twice. */
function twice(document: Json, place: Place): Json {
  const last = Number(place.at(-1));
  return edit(document, place.slice(0, -1), (parent) => {
    if (Array.isArray(parent)) return (parent as Json[]).toSpliced(last, 0, (parent as Json[])[last] ?? null);
    return edit(parent, [place.at(-1) ?? ''], (value) => [value, value]);
  });
}

/** A manifest has an entry a line. */
function inForm(document: Json, before: string): Buffer {
  const { entries, ...head } = (document ?? {}) as { entries?: unknown };
  if (!before.includes('"entries":[\n') || !Array.isArray(entries)) return Buffer.from(JSON.stringify(document));
  const lines = entries.map((entry) => JSON.stringify(entry)).join(',\n');
  const text = `${JSON.stringify(head).slice(0, -1)},"entries":[\n${lines}${lines === '' ? '' : '\n'}]}\n`;
  return Buffer.from(text);
}
