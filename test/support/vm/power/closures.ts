import type { Content, Contents } from '../../closures';

/** What the machine has in the directory that all of this is about, before anything is managed. */
export const own: Contents = {
  site: { directory: 0o755 },
  'site/own': { file: 'of the machine\n', mode: 0o640, uid: 12, gid: 12 },
  'site/own-copied': { file: 'of the machine, copied over\n', mode: 0o600 },
  'site/own-link': { link: 'own' },
  'site/own.d': { directory: 0o750, uid: 12 },
  'site/own.d/file': { file: 'in a directory of the machine\n', mode: 0o604 },
  'site/nobodys': 'never touched\n',
};

/** The closures that a machine switches between; `policy` is the same for all. */
export const closures: Readonly<Record<string, Contents>> = {
  // The machine's own is left alone.
  a: {
    ...shared('a'),
    'etc/site/kind': 'a file\n',
    'etc/site/kind.d/deep/file': 'in a directory\n',
    'etc/site/direct': { link: 'common0' },
  },
  // The machine's own is taken over, and kinds are others.
  b: {
    ...shared('b'),
    'etc/site/own': 'taken over by b\n',
    'etc/site/own-copied': { file: 'copied over by b\n', mode: 0o440 },
    'etc/site/own-link': { link: '/etc/hosts' },
    'etc/site/kind/inside': 'a directory now\n',
    'etc/site/kind.d': { link: 'common1' },
    'etc/site/direct': { link: 'common1' },
  },
  // Even a directory of the machine is.
  c: {
    ...shared('c'),
    'etc/site/own': { link: 'common2' },
    'etc/site/own.d': 'a file in place of a directory of the machine\n',
    'etc/site/kind': { link: 'common2' },
    'etc/site/copied-kind': 'a copy and no link\n',
    'etc/site/deep/er/and/deeper': 'in directories of its own\n',
  },
  // Little, so that much is made and taken away.
  d: { ...common('d', 3), 'etc/site/own-copied': 'copied over by d\n', 'etc/power': 'd\n' },
};

export const policy = `schema = 1

[[path]]
match = "/etc/site/copied*"
place = "copy"
on-conflict = "backup"

[[path]]
match = "/etc/site/own-copied"
place = "copy"
on-conflict = "backup"

[[path]]
match = "/etc/**"
on-conflict = "backup"
`;

function common(name: string, count: number): Contents {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`etc/site/common${index}`, `${name} ${index}\n`]),
  );
}

function shared(name: string): Contents {
  return {
    ...common(name, 24),
    'etc/power': `${name}\n`,
    [`etc/site/only-${name}`]: `${name} alone\n`,
    [`etc/site/only-${name}.d/file`]: `${name} alone\n`,
    'etc/site/copied': `copied from ${name}\n`,
    'etc/site/copied-private': { file: `private of ${name}\n`, mode: 0o600, uid: 12, gid: 12 },
    [`etc/site/copied-${name}`]: { file: `${name} alone\n`, mode: 0o440 },
    [`etc/site/direct-${name}`]: { link: `only-${name}` },
  };
}

/** What is to be seen at each path of `site` and at `power`, by path, as the guest's `look` says it. */
export type Sight = ReadonlyMap<string, string>;

/** What a machine shows that had {@link own} and shows a closure; nothing is managed without one. */
export function sightOf(name: string | undefined): Sight {
  const closure = name === undefined ? {} : closures[name];
  if (closure === undefined) throw new Error(`there is no closure ${name}`);
  const placed = Object.entries(closure).map(([path, content]) => [path.slice('etc/'.length), content] as const);
  const covered = (path: string): boolean =>
    placed.some(([each, content]) => (each === path && !isDirectory(content)) || path.startsWith(`${each}/`));
  const sight = new Map(
    Object.entries(own).flatMap(([path, content]) => (covered(path) ? [] : sights(path, content, 'real'))),
  );
  for (const [path, content] of placed) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1))
      if (!sight.has(path.slice(0, slash))) sight.set(path.slice(0, slash), 'd 755 0 0');
    for (const [at, seen] of sights(path, content, isCopied(path) ? 'real' : 'link')) sight.set(at, seen);
  }
  return sight;
}

function isDirectory(content: Content): boolean {
  return typeof content === 'object' && 'directory' in content;
}

function isCopied(path: string): boolean {
  return path.startsWith('site/copied') || path === 'site/own-copied';
}

function sights(path: string, content: Content, how: 'real' | 'link'): [string, string][] {
  if (typeof content === 'object' && 'link' in content) return [[path, `l ${content.link}`]];
  if (typeof content === 'object' && 'directory' in content)
    return [[path, `d ${content.directory.toString(8)} ${content.uid ?? 0} 0`]];
  const { file, mode = 0o644, uid = 0, gid = 0 } = typeof content === 'string' ? { file: content } : content;
  const digest = new Bun.CryptoHasher('sha256').update(file).digest('hex');
  return [[path, how === 'link' ? `shows ${digest}` : `f ${mode.toString(8)} ${uid} ${gid} ${digest}`]];
}
