import { expect, test } from 'bun:test';
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';

const RECORDS = ['generation.json', 'manifest.json', 'ledger.json', 'withheld.json', 'times.json'];
const commands = [
  ['status'],
  ['list'],
  ['diff', '1'],
  ['rollback', '--dry-run'],
  ['switch', '--dry-run', 'closures/two'],
  ['gc', '--keep', '9'],
];

const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(null, true, 0, -1, 1.5, 1e300, '', '/', '..', '/etc', '\0', [], {}, [[]], [null], { schema: 1 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** A document with one value in it replaced or gone. */
function mutate(document: unknown, choices: readonly number[], replacement: unknown): unknown {
  const [choice = 0, ...others] = choices;
  if (typeof document !== 'object' || document === null || others.length === 0) return replacement;
  const keys = Object.keys(document);
  const key = keys[choice % Math.max(keys.length, 1)];
  if (key === undefined) return replacement;
  const copy = Array.isArray(document) ? [...(document as unknown[])] : { ...document };
  const slots = copy as Record<string, unknown>;
  if (replacement === undefined && others.length === 1) delete slots[key];
  else slots[key] = mutate(slots[key], others, replacement);
  return copy;
}

/** What is made of a record's text: cut off, one byte wrong, one value wrong, or something else altogether. */
const damage: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc.nat(4000).map((at) => (text: string) => text.slice(0, at % Math.max(text.length, 1))),
  fc
    .tuple(fc.nat(4000), fc.constantFrom('"', '{', '}', '\n', '0', ',', '\0', 'x'))
    .map(([at, byte]) => (text: string) => {
      const index = at % Math.max(text.length, 1);
      return text.slice(0, index) + byte + text.slice(index + 1);
    }),
  fc.tuple(fc.array(fc.nat(50), { minLength: 2, maxLength: 6 }), fc.option(junk, { nil: undefined })).map(
    ([choices, replacement]) =>
      (text: string) =>
        inForm(mutate(JSON.parse(text), choices, replacement), text),
  ),
  junk.map((value) => () => JSON.stringify(value)),
);

/** A manifest has an entry a line. */
function inForm(document: unknown, before: string): string {
  const { entries, ...head } = (document ?? {}) as { entries?: unknown };
  if (!before.includes('"entries":[\n') || !Array.isArray(entries)) return JSON.stringify(document);
  const lines = entries.map((entry) => JSON.stringify(entry)).join(',\n');
  return `${JSON.stringify(head).slice(0, -1)},"entries":[\n${lines}${lines === '' ? '' : '\n'}]}\n`;
}

async function threeGenerations(sandbox: Sandbox): Promise<void> {
  const activate = insistOn(sandbox);
  writeFileSync(sandbox.on('/etc/motd'), 'own\n');
  const secret = { file: 'key\n', mode: 0o600 };
  const policy = 'schema = 1\n[[path]]\nmatch = "/etc/copy*"\nplace = "copy"\non-drift = "keep"\n';
  const shared = { 'activation.toml': policy, 'etc/secret': secret, 'etc/link': { link: 'x' }, 'etc/d/e/f': 'f\n' };
  const one = writeClosure(sandbox, 'one', { ...shared, 'etc/motd': 'one\n', 'etc/copy': '1\n' });
  const two = writeClosure(sandbox, 'two', { ...shared, 'etc/motd': 'two\n', 'etc/copy2': '1\n', 'etc/copy': '2\n' });
  await activate('switch', one, '--on-conflict', 'backup');
  await activate('switch', two);
}

test('a damaged record gives a clear error or no harm, and never a stack trace', async () => {
  await withSandbox(async (sandbox) => {
    await threeGenerations(sandbox);
    const activate = activateOn(sandbox);
    const seen = new Set<number>();
    const pick = fc.tuple(fc.constantFrom(1, 2), fc.constantFrom(...RECORDS), damage);
    await fc.assert(
      fc.asyncProperty(pick, async ([number, name, change]) => {
        const file = sandbox.on(`/var/lib/activate/generations/${number}/${name}`);
        if (!existsSync(file)) return;
        const text = readFileSync(file, 'utf8');
        renameSync(file, `${file}.saved`);
        writeFileSync(file, change(text));
        chmodSync(file, 0o600);
        try {
          for (const argv of commands) {
            const { status, stderr } = await activate(...argv);
            seen.add(status);
            if (![0, 2, 3, 65].includes(status)) throw new Error(`${argv.join(' ')}: ${status}\n${stderr}`);
          }
        } finally {
          rmSync(file);
          renameSync(`${file}.saved`, file);
        }
      }),
      { numRuns: 150 },
    );
    expect([...seen]).toContain(65);
  });
}, 120_000);

test('a damaged journal gives a clear error or is carried out', async () => {
  await withSandbox(async (sandbox) => {
    await threeGenerations(sandbox);
    const activate = activateOn(sandbox);
    const step = { op: 'place', path: '/etc/none', aside: '/etc/.activate.1' };
    const journal = {
      schema: 1,
      from: 2,
      to: 2,
      staged: false,
      firstBackup: 9,
      inodes: { '/etc/.activate.1': '1:2' },
      roles: [{ role: 'live', from: 2, to: 2 }],
      phases: {
        create: [{ op: 'create', objects: [{ path: '/etc/none', made: { kind: 'symlink', linkText: 'x' } }] }],
        swap: [step, { op: 'own', path: '/etc/none', before: {}, after: {} }],
        remove: [{ op: 'save', aside: '/etc/.activate.1', backup: 9 }],
        discard: [{ path: '/etc/none', aside: '/etc/.activate.2' }],
        backups: [{ path: '/etc/none', reason: 'drifted' }],
        spent: [9],
      },
    };
    const file = sandbox.on('/var/lib/activate/transition.json');
    const phase = fc.constantFrom('create', 'swap', 'undo');
    await fc.assert(
      fc.asyncProperty(damage, phase, async (change, at) => {
        writeFileSync(file, change(JSON.stringify({ ...journal, phase: at })), { mode: 0o600 });
        for (const argv of [['status'], ['resume']]) {
          const { status, stderr } = await activate(...argv);
          if (![0, 2, 5, 65, 74].includes(status)) throw new Error(`${argv.join(' ')}: ${status}\n${stderr}`);
        }
      }),
      { numRuns: 300 },
    );
  });
}, 120_000);
