import { readdirSync, readFileSync } from 'node:fs';
import { runActivate } from './cli';
import { insistOnDocument } from './documents';
import type { TestMachine } from './machine';
import type { Sandbox } from './sandbox';

/** What `watch --json` prints on a line. */
export interface Line {
  readonly event: string;
  readonly path?: string;
  readonly [field: string]: unknown;
}

/** A `watch` that is running. */
export interface Watching {
  readonly lines: () => readonly Line[];
  /** Waits until what was printed says enough. */
  readonly until: (isEnough: (lines: readonly Line[]) => boolean) => Promise<void>;
  /** Ends it as a service manager does; the exit status. */
  readonly end: () => Promise<number>;
}

/** On a machine with much to do a second is short. */
const PATIENCE_MS = 60_000;

/** Waits for a condition, and fails with what there is where it does not come. */
export async function waitFor(isSo: () => boolean, describe: () => string): Promise<void> {
  const begun = performance.now();
  while (!isSo()) {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`it does not come: ${describe()}`);
    await Bun.sleep(25);
  }
}

function watching(lines: () => readonly Line[], end: () => Promise<number>): Watching {
  const until: Watching['until'] = (isEnough) =>
    waitFor(
      () => isEnough(lines()),
      () => JSON.stringify(lines()),
    );
  return { lines, until, end };
}

/** Runs `watch` in this process; `elapsed` is the clock that it goes by. */
export async function startWatching(
  { root }: Sandbox,
  argv: readonly string[] = [],
  elapsed: () => number = () => performance.now(),
): Promise<Watching> {
  const lines: Line[] = [];
  const ending = new AbortController();
  const write = (text: string): void => void lines.push(...linesIn(text));
  const finished = runActivate(['--root', root, 'watch', '--json', ...argv], {
    workingDirectory: root,
    signal: ending.signal,
    elapsed,
    write,
  });
  const end = async (): Promise<number> => {
    ending.abort('SIGTERM');
    return (await finished).status;
  };
  const started = watching(() => lines, end);
  await started.until((seen) => seen.length > 0);
  return started;
}

const OUTPUT = '/var/watch.out';

/** Runs the built program as a service would. */
export async function startWatchOn(
  machine: TestMachine,
  argv: readonly string[] = [],
  user: 'root' | 'nobody' = 'root',
): Promise<Watching & { readonly pid: number; readonly messages: () => string }> {
  // The project may lie where others than root may not look.
  const script = `exec /var/activate watch --json "$@" >${OUTPUT} 2>${OUTPUT}.messages`;
  await machine.shell(
    `install "$(command -v activate)" /var/activate; for each in '' .messages; do install -m 0666 /dev/null ${OUTPUT}$each; done`,
  );
  const { pid, kill, finished } = machine.start(['bash', '-c', script, 'bash', ...argv], { user });
  const end = async (): Promise<number> => {
    kill('SIGTERM');
    return (await finished).status;
  };
  const started = watching(
    newLinesOf(() => textOf(machine.on(OUTPUT))),
    end,
  );
  await started.until((lines) => lines.length > 0);
  return { ...started, pid, messages: () => textOf(machine.on(`${OUTPUT}.messages`)) };
}

/** What is read already is not read again: there may be many lines. */
function newLinesOf(text: () => string): () => readonly Line[] {
  const lines: Line[] = [];
  let end = 0;
  return () => {
    const more = text().slice(end);
    lines.push(...linesIn(more));
    end += more.lastIndexOf('\n') + 1;
    return lines;
  };
}

/** A line that is being written is no line yet. */
function linesIn(text: string): Line[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      insistOnDocument(['watch', '--json'], line);
      return JSON.parse(line) as Line;
    });
}

/** How many directories the kernel watches for a process. */
export function watchesOf(pid: number | 'self'): number {
  const texts = readdirSync(`/proc/${pid}/fdinfo`).map((name) => textOf(`/proc/${pid}/fdinfo/${name}`));
  return texts.reduce((sum, text) => sum + text.split('\n').filter((line) => line.startsWith('inotify ')).length, 0);
}

/** The text of a file; empty where it is not there yet, or no more. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Events in short: what happened, and where. */
export function inShort(lines: readonly Line[]): string[] {
  return lines.map(({ event, path }) => (path === undefined ? event : `${event} ${path}`));
}
