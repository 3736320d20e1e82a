import { type Sight, sightOf } from './closures';

/** What a machine said of /etc. */
export interface Look {
  /** The generation that the pointer leads to. */
  readonly shown: number;
  readonly live: number;
  readonly default: number;
  readonly sight: Sight;
  readonly dangling: readonly string[];
  readonly litter: readonly string[];
  /** Stands for all of /etc that nothing manages. */
  readonly rest: string;
}

const POINTER = '/run/filesystem-overlay';

/** Reads a look of that name from the console; `undefined` where it is not there as a whole. */
export function parseLook(console: string, name: string): Look | undefined {
  const text = console.split(`LOOK ${name}\n`).at(-1)?.split(`SEEN ${name}\n`);
  if (text?.[0] === undefined || text.length < 2) return undefined;
  const lines = text[0].split('\n');
  const after = (word: string): string[] =>
    lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  const number = (word: string): number => Number(/(\d+)(?:\/tree)?$/u.exec(after(word)[0] ?? '')?.[1] ?? 0);
  return {
    shown: number('shown'),
    live: number('live'),
    default: number('default'),
    sight: sightOn(after('is'), after('has')),
    dangling: after('dangling'),
    litter: after('litter'),
    rest: after('rest')[0] ?? '',
  };
}

function sightOn(objects: readonly string[], contents: readonly string[]): Sight {
  const digests = new Map(contents.map((line) => [line.slice(66), line.slice(0, 64)]));
  return new Map(
    objects.map((line) => {
      const [path = '', kind, mode, uid, gid, text = ''] = line.split('|');
      const digest = digests.get(path) ?? 'nothing';
      if (kind === 'l') return [path, text === `${POINTER}/etc/${path}` ? `shows ${digest}` : `l ${text}`];
      return [path, [kind, mode, uid, gid, ...(kind === 'f' ? [digest] : [])].join(' ')];
    }),
  );
}

/** What is not as it is to be where a closure is shown, or nothing is. */
export function compareSight(found: Sight, closure: string | undefined): string[] {
  const wanted = sightOf(closure);
  const paths = [...new Set([...wanted.keys(), ...found.keys()])].toSorted();
  return paths
    .filter((path) => wanted.get(path) !== found.get(path))
    .map((path) => `${path}: ${found.get(path) ?? 'missing'}, and not ${wanted.get(path) ?? 'missing'}`);
}
