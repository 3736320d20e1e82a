import { expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { activateOn } from '../support/cli';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import {
  attempt,
  type Damage,
  lossesIn,
  newTally,
  otherKinds,
  rewritten,
  summarise,
  type Tally,
  wrongIn,
} from '../support/damage/fuzzing';
import {
  mutateBytes,
  type Mutation,
  mutateJson,
  pick,
  type Random,
  randomFrom,
  type Values,
} from '../support/damage/mutations';
import type { Sandbox } from '../support/sandbox';
import { takeSnapshot } from '../support/snapshot';
import { wearMachine } from '../support/damage/worn-machine';

const SEED = Number(process.env['SEED'] ?? 1);
const TRIALS = Number(process.env['TRIALS'] ?? 60);

const policy = `# Everything that a policy can say.
schema = 1
roots = ["/etc", "/usr/local/etc"]

[[path]]
match = "/etc/copy*"
place = "copy"
mode = "0640"
owner = "root"
group = "daemon"
on-conflict = "backup"
on-drift = "keep"

[[path]]
match = ["/etc/{a,b}/**", "!x"]
place = 'seed'

[[path]]
match = '/etc/d/[!a-y]?'
mode = """0600"""
on-drift = "refuse"

[[path]]
match = "/etc/link"
place = "direct"

[[path]]
match = "/etc/skip/**"
place = "skip"
`.replace('["/etc/{a,b}/**", "!x"]', '"/etc/a/**"');

const json = `{
  "schema": 1,
  "roots": ["/etc"],
  "path": [
    { "match": "/etc/copy*", "place": "copy", "mode": "0640", "owner": "root", "group": "daemon" },
    { "match": "/etc/a/**", "place": "seed", "on-conflict": "keep", "on-drift": "backup" }
  ]
}
`;

const closure: Contents = {
  'etc/copy': 'copy\n',
  'etc/a/b': 'seed\n',
  'etc/d/za': 'za\n',
  'etc/link': { link: 'own' },
  'etc/motd': 'motd\n',
  'etc/skip/x': 'x\n',
  'etc/hosts': 'hosts\n',
};

const texts = [
  '/etc',
  '/',
  '',
  '/root',
  '/proc',
  '/etc/../root',
  '/etc/**',
  '!/etc',
  '[',
  '{a',
  '\\',
  '0777',
  '07777',
  '08',
  '-1',
  'copy',
  'link',
  'skip',
  'nobody-at-all',
  '*'.repeat(200),
  '{a,b}'.repeat(20),
  '**/'.repeat(60),
  '\0',
  '\ud800',
];
const values: Values = { paths: texts, numbers: [0, 1, 2, -1, 1.5, 0o644, 2 ** 53, 1e300] };

/** A word, a text or a sign of a TOML file gone, twice, or another one in its place. */
function mutateToml(bytes: Buffer, random: Random): Mutation {
  if (random(2) === 0) return mutateBytes(bytes, random);
  const tokens = String(bytes).match(/"[^"\n]*"|'[^'\n]*'|[\w-]+|\s+|./gu) ?? [];
  const at = random(tokens.length);
  const others = [
    ...texts.map((text) => JSON.stringify(text)),
    '[',
    ']',
    '[[',
    '=',
    '1',
    'true',
    '1979-05-27',
    'inf',
    'nan',
    '0x1f',
    '"""',
    "'''",
    '{ }',
    '[[path]]',
    '\n',
    ...tokens,
  ];
  const token = pick(random, [
    [],
    [tokens[at] ?? '', tokens[at] ?? ''],
    [pick(random, others)],
    [pick(random, others)],
  ]);
  const what = `${JSON.stringify(tokens[at])} became ${JSON.stringify(token.join(' ')).slice(0, 80)}`;
  return { what, bytes: Buffer.from(tokens.toSpliced(at, 1, ...token).join('')) };
}

const verbs = [['diff'], ['switch', '--dry-run'], ['generate', '--output', 'bundle']] as const;

/** Reads alone are many in little time: all of them on one machine, which is as it was in the end. */
async function look(
  sandbox: Sandbox,
  tally: Tally,
  { file, what, put }: Damage,
  target: readonly string[],
): Promise<void> {
  tally.trials += 1;
  put(sandbox.on(file));
  for (const [verb, ...flags] of verbs) {
    const ran = await activateOn(sandbox)(verb, ...target, ...flags);
    rmSync(sandbox.on('/bundle'), { recursive: true, force: true });
    tally.statuses[ran.status] = (tally.statuses[ran.status] ?? 0) + 1;
    for (const harm of wrongIn(ran)) tally.harms.push({ file, what, harm: `${verb}: ${harm}` });
  }
}

const forms: readonly [string, string, typeof mutateToml][] = [
  ['activation.toml', policy, mutateToml],
  ['policy.json', json, (bytes, random) => mutateJson(bytes, random, values)],
];

test.each(forms)(
  'a damaged policy in %s gives a clear error or a correct run',
  async (name, text, mutate) => {
    const random = randomFrom(SEED);
    const tally = newTally();
    const sandbox = await wearMachine();
    try {
      writeClosure(sandbox, 'four', { ...closure, [name]: text });
      const file = `/closures/four/${name}`;
      const target = ['closures/four', ...(name === 'policy.json' ? ['--policy', file.slice(1)] : [])];
      const before = takeSnapshot(sandbox.root);
      for (let trial = 0; trial < TRIALS * 10; trial += 1) {
        await look(sandbox, tally, rewritten(file, mutate(Buffer.from(text), random)), target);
      }
      writeFileSync(sandbox.on(file), text);
      for (const harm of lossesIn(before, sandbox)) tally.harms.push({ file, what: 'all of them', harm });
      for (let trial = 0; trial < TRIALS / 4; trial += 1) {
        const damage = rewritten(file, mutate(Buffer.from(text), random));
        await attempt(tally, sandbox, damage, [
          ['switch', ...target, '--on-conflict', 'backup'],
          ['status'],
          ['rollback', '0'],
        ]);
      }
    } finally {
      sandbox.remove();
    }
    expect(summarise(tally)).toEqual([]);
  },
  600_000,
);

const store = 'nix/store/0a-etc';
const nixos: Contents = {
  'nix/store/0b-x': 'x\n',
  'nix/store/0c-y': 'y\n',
  [`${store}/etc/x`]: { link: '/nix/store/0b-x' },
  [`${store}/etc/x.mode`]: '0440\n',
  [`${store}/etc/x.uid`]: '+0\n',
  [`${store}/etc/x.gid`]: 'root\n',
  [`${store}/etc/d/y`]: { link: '/nix/store/0c-y' },
  [`${store}/etc/d/y.mode`]: 'direct-symlink\n',
};
const sidecars = Object.keys(nixos).filter((name) => /\.(?:mode|uid|gid)$/u.test(name));
const words = [
  '0440',
  '+0',
  '+1',
  '-1',
  '0',
  '99999999999',
  '+4294967295',
  '+4294967296',
  '8888',
  '07777',
  '77777',
  'u+s',
  'symlink',
  'nobody',
  ' 0440',
  '0440 0440',
  '',
  '/root/canary',
];

function damagesOf(name: string, random: Random): Damage[] {
  const file = `/${name}`;
  const said = words.map((word) => rewritten(file, { what: word, bytes: Buffer.from(word) }));
  const bytes = Buffer.from(nixos[name] as string);
  const mutated = Array.from({ length: TRIALS / 10 }, () => rewritten(file, mutateBytes(bytes, random)));
  return said.concat(mutated, otherKinds(file));
}

test('a damaged sidecar gives a clear error or a correct run', async () => {
  const random = randomFrom(SEED);
  const tally = newTally();
  const sandbox = await wearMachine();
  try {
    writeContents(sandbox.root, nixos);
    const damages = sidecars.flatMap((name) => damagesOf(name, random));
    for (const damage of damages) {
      const commands = [['diff', store], ['switch', store, '--on-conflict', 'backup'], ['status'], ['rollback', '0']];
      if (random(3) === 0) await attempt(tally, sandbox, damage, commands, 'the closure');
    }
  } finally {
    sandbox.remove();
  }
  expect(summarise(tally)).toEqual([]);
}, 600_000);

test('what generate wrote, damaged or whole, is a clear error or a correct run where a closure is expected', async () => {
  const random = randomFrom(SEED);
  const tally = newTally();
  const sandbox = await wearMachine();
  try {
    expect(await activateOn(sandbox)('generate', 'closures/three', '--output', 'bundle')).toMatchObject({ status: 0 });
    const files = takeSnapshot(sandbox.on('/bundle')).filter(({ kind }) => kind === 'file');
    const commands = [
      ['diff', 'bundle'],
      ['switch', 'bundle', '--on-conflict', 'backup'],
      ['status'],
      ['rollback', '0'],
    ];
    for (let trial = 0; trial < TRIALS / 4; trial += 1) {
      const { path } = pick(random, files);
      const bytes = Buffer.from(await Bun.file(sandbox.on(`/bundle${path}`)).arrayBuffer());
      await attempt(tally, sandbox, rewritten(`/bundle${path}`, mutateBytes(bytes, random)), commands, 'the closure');
    }
  } finally {
    sandbox.remove();
  }
  expect(summarise(tally)).toEqual([]);
}, 600_000);
