import { lutimesSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contents, writeContents } from '../closures';
import { kinds, writeImage } from '../images';

/** What the machine has at the beginning. */
const machine: Contents = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
  'etc/group': 'root:x:0:\n',
  'etc/own': { file: 'of the machine\n', mode: 0o640, gid: 12 },
  'etc/own link': { link: 'own' },
  'etc/own.d/file': 'of the machine\n',
  'etc/shared.d/own': 'of the machine\n',
  'etc/taken first': { file: 'taken by the first closure\n', mode: 0o600 },
  'etc/taken': { file: 'taken by the second closure\n', mode: 0o640, uid: 12, gid: 12 },
  'etc/taken.d/file': 'in a directory that the second closure has a file for\n',
  'etc/taken for good': 'taken by both\n',
};

/** What no generation names. */
export const unmanaged: readonly string[] = [
  '/etc/own',
  '/etc/own link',
  '/etc/own.d',
  '/etc/own.d/file',
  '/etc/shared.d/own',
];

const rules = `schema = 1

[[path]]
match = "/etc/copy merged"
place = "copy"
on-drift = "merge"

[[path]]
match = "/etc/merged"
on-drift = "merge"

[[path]]
match = "/etc/copy*"
place = "copy"

[[path]]
match = "/etc/secret"
place = "copy"
mode = "0400"
owner = 12

[[path]]
match = "/etc/seed*"
place = "seed"

[[path]]
match = "/etc/taken*"
on-conflict = "backup"
`;

const first: Contents = {
  'activation.toml': `${rules}
[[path]]
match = "/etc/was copy"
place = "copy"

[[path]]
match = "/etc/moded.d"
place = "directory"
mode = "0700"
`,
  'etc/shown': 'first\n',
  'etc/shown alike': 'both\n',
  'etc/shown gone': 'first\n',
  'etc/gone.d/deep/shown': 'first\n',
  'etc/shared.d': { directory: 0o755 },
  'etc/shared.d/shown': 'first\n',
  'etc/direct': { link: 'first' },
  'etc/direct gone': { link: 'first' },
  'etc/copy': 'first\n',
  'etc/copy gone': 'first\n',
  'etc/copy edited': 'first\n',
  'etc/secret': 'first\n',
  'etc/seed': 'first\n',
  'etc/was copy': 'first\n',
  'etc/was shown': 'first\n',
  'etc/was file': 'first\n',
  'etc/was directory/shown': 'first\n',
  'etc/was link': { link: 'first' },
  'etc/moded.d/shown': 'both\n',
  'etc/edited': 'first\n',
  'etc/copy merged': '1\n2\nfirst\n',
  'etc/merged': '1\n2\nfirst\n',
  'etc/taken first': 'first\n',
  'etc/taken for good': 'first\n',
};

const second: Contents = {
  'activation.toml': `${rules}
[[path]]
match = "/etc/was shown"
place = "copy"
mode = "0640"
group = 12

[[path]]
match = "/etc/moded.d"
place = "directory"
mode = "0750"
`,
  'etc/shown': 'second\n',
  'etc/shown alike': 'both\n',
  'etc/shown new': 'second\n',
  'etc/new.d/deep/shown': 'second\n',
  'etc/shared.d': { directory: 0o755 },
  'etc/shared.d/shown': 'second\n',
  'etc/direct': { link: 'second' },
  'etc/direct new': { link: 'second' },
  'etc/copy': { file: 'second\n', mode: 0o600 },
  'etc/copy new': 'second\n',
  'etc/copy edited': 'second\n',
  'etc/secret': 'second\n',
  'etc/seed': 'second\n',
  'etc/seed new': 'second\n',
  'etc/was copy': 'second\n',
  'etc/was shown': 'second\n',
  'etc/was file/shown': 'second\n',
  'etc/was directory': { link: 'gone.d' },
  'etc/was link': 'second\n',
  'etc/moded.d/shown': 'both\n',
  'etc/edited': 'second\n',
  'etc/copy merged': '1\n2\nsecond\n',
  'etc/merged': '1\n2\nsecond\n',
  'etc/taken': 'second\n',
  'etc/taken.d': 'second\n',
  'etc/taken for good': 'second\n',
};

/** Two closures that differ in their wrappers; both have those named `both` and `held`. */
const wrapping: Readonly<Record<string, Contents>> = {
  'wrapping first': wrappingClosure('first', ['both', 'held', 'gone'], 'mode = "4755"'),
  'wrapping second': wrappingClosure('second', ['both', 'held', 'new'], 'mode = "2755"\ngroup = 12'),
};

function wrappingClosure(content: string, names: readonly string[], lines: string): Contents {
  const rule = (name: string): string =>
    `[[wrapper]]\nname = "${name}"\nsource = "bin/${name}"\n${name === 'held' ? 'capabilities = "cap_net_raw+ep"' : lines}\n`;
  return {
    'activation.toml': `schema = 1\n${names.map(rule).join('')}`,
    'etc/shown': `${content}\n`,
    ...Object.fromEntries(names.map((name) => [`bin/${name}`, `${content}\n`])),
  };
}

/** The paths that the machine or one of the closures has. */
export const paths: readonly string[] = [
  ...[...new Set([machine, first, second].flatMap(Object.keys))]
    .filter((name) => name.startsWith('etc/'))
    .map((name) => `/${name}`),
  ...['both', 'held'].map((name) => `/run/wrappers/bin/${name}`),
];

/** Writes a machine, with times in the past, below `root`, and the closures below `closures`. */
export function writeMachine(root: string, closures: string): void {
  writeContents(root, machine);
  for (const directory of ['run', 'var/lib']) mkdirSync(join(root, directory), { recursive: true });
  writeContents(join(closures, 'first'), first);
  writeContents(join(closures, 'second'), second);
  for (const [name, contents] of Object.entries(wrapping)) writeContents(join(closures, name), contents);
  for (const name of ['first', 'second'])
    for (const kind of kinds) writeImage(kind, join(closures, name), join(closures, `${name}.${kind}`));
  const names = readdirSync(join(root, 'etc'), { recursive: true }).map(String).toSorted().toReversed();
  for (const [index, name] of names.entries()) lutimesSync(join(root, 'etc', name), 1e9, 1e9 + index);
}

/** What somebody does to ours while the first closure is live; some of it goes into the second as well. */
export function edit(root: string): void {
  const edits = { 'copy edited': 'edited\n', edited: 'edited\n', 'copy merged': '1, edited\n2\nfirst\n' };
  for (const [name, text] of Object.entries({ ...edits, merged: edits['copy merged'] })) {
    // A link would lead the edit into the generation.
    rmSync(join(root, 'etc', name));
    writeFileSync(join(root, 'etc', name), text);
  }
}
