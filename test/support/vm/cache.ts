import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, utimesSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { removeTree } from '../sandbox';

const cache = resolve(import.meta.dir, '../../../.cache/vm');

/** How many versions of one product stay; the others are removed when a new one is made. */
const KEPT = 2;

/**
 * Makes something expensive once, and returns the directory that holds it: `.cache/vm/NAME-KEY`.
 *
 * @param inputs what goes into it: texts, and files by {@link digestOf}
 * @param make fills an empty directory; where it fails, nothing stays
 */
export async function cached(
  name: string,
  inputs: readonly string[],
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const key = new Bun.CryptoHasher('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16);
  const place = join(cache, `${name}-${key}`);
  if (existsSync(place)) {
    utimesSync(place, new Date(), new Date());
    return place;
  }
  const unfinished = join(cache, `unfinished-${process.pid}-${name}-${key}`);
  mkdirSync(unfinished, { recursive: true });
  try {
    await make(unfinished);
    // Whoever made the same at the same time is as good.
    if (!existsSync(place)) renameSync(unfinished, place);
  } finally {
    removeTree(unfinished);
  }
  removeOld(name);
  return place;
}

/** The digest of a file, or of the files in a directory with their names. */
export function digestOf(path: string): string {
  if (!statSync(path).isDirectory()) return new Bun.CryptoHasher('sha256').update(readFileSync(path)).digest('hex');
  const names = readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
  return names.map((each) => `${each.slice(path.length)} ${digestOf(each)}`).join('\n');
}

function removeOld(name: string): void {
  const versions = readdirSync(cache)
    .filter((each) => each.startsWith(`${name}-`) && /^[0-9a-f]{16}$/u.test(each.slice(name.length + 1)))
    .map((each) => join(cache, each))
    .toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const each of versions.slice(KEPT)) removeTree(each);
}
