import { existsSync, readFileSync } from 'node:fs';

/**
 * Reads files as fast as it can until a file appears that says enough, and prints what it saw as one {@link Reading}.
 *
 * Its argument names a file with {@link ReaderOptions} as JSON. Run in a namespace, beside what changes the files.
 */
export interface ReaderOptions {
  /** Text that files may hold, by path. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** Where the file appears that ends it. */
  readonly enough: string;
}

export interface Reading {
  readonly reads: number;
  /** How many times each file held the text with this index. */
  readonly seen: Readonly<Record<string, readonly number[]>>;
  /** What could not be read, or held something else; the first few. */
  readonly failures: readonly string[];
}

const MOST_FAILURES = 20;

if (import.meta.main)
  process.stdout.write(JSON.stringify(read(JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as ReaderOptions)));

function read({ files, enough }: ReaderOptions): Reading {
  const failures: string[] = [];
  const seen = new Map(Object.entries(files).map(([path, texts]) => [path, texts.map(() => 0)]));
  let reads = 0;
  while (!existsSync(enough)) {
    for (const [path, texts] of Object.entries(files)) {
      reads += 1;
      const which = texts.indexOf(textOf(path, failures));
      const counts = seen.get(path) ?? [];
      if (which >= 0) counts[which] = (counts[which] ?? 0) + 1;
      else failures.push(`${path} held neither the old nor the new`);
    }
    if (failures.length >= MOST_FAILURES) break;
  }
  return { reads, seen: Object.fromEntries(seen), failures };
}

function textOf(path: string, failures: string[]): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    failures.push(String(error));
    return '';
  }
}
