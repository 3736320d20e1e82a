import { expect, test } from 'bun:test';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestMachine, withMachine } from '../support/machine';
import type { ReaderOptions, Reading } from '../support/reader';

const SWITCHES = Number(process.env['SWITCHES'] ?? 100);
const READERS = 2;
const ENOUGH = '/run/enough';

/** Long enough that half of a text would be noticed. */
function textOf(version: string): string {
  return `${version}\n`.repeat(20_000);
}

const A = textOf('old');
const B = textOf('new');

/** What is at a path: a file with the closure's text, or a link. */
type Thing = 'text' | { readonly link: string };

/** Below /etc, in both closures; what leads elsewhere leads to one of the payloads, which both have. */
const things: Readonly<Record<string, readonly [a: Thing, b: Thing]>> = {
  linked: ['text', 'text'],
  'deep/er/linked': ['text', 'text'],
  copied: ['text', 'text'],
  'whole/file': ['text', 'text'],
  direct: [{ link: 'payload-a/file' }, { link: 'payload-b/file' }],
  'link-or-copied': ['text', 'text'],
  'file-or-link': ['text', { link: 'payload-b/file' }],
  'link-or-directory': [{ link: 'payload-a' }, { link: 'payload-b' }],
};

const policyA = policyOf({ '/etc/copied': 'copy', '/etc/whole': 'link' });
const policyB = policyOf({ '/etc/copied': 'copy', '/etc/whole': 'link', '/etc/link-or-copied': 'copy' });

function policyOf(places: Readonly<Record<string, string>>): string {
  const rules = Object.entries(places).map(([match, place]) => `[[path]]\nmatch = "${match}"\nplace = "${place}"\n`);
  return ['schema = 1\n', ...rules].join('\n');
}

function writeClosure(closure: string, which: 0 | 1): string {
  const put = (name: string, thing: Thing): void => {
    const path = join(closure, 'etc', name);
    mkdirSync(dirname(path), { recursive: true });
    if (thing === 'text') writeFileSync(path, which === 0 ? A : B);
    else symlinkSync(thing.link, path);
  };
  for (const [name, versions] of Object.entries(things)) put(name, versions[which]);
  // A directory of real entries in the first closure, a link to a directory in the second.
  if (which === 0) put('directory-or-link/file', 'text');
  else put('directory-or-link', { link: 'payload-b' });
  writeFileSync(join(closure, 'activation.toml'), which === 0 ? policyA : policyB);
  for (const [name, text] of Object.entries({ 'payload-a': A, 'payload-b': B })) {
    mkdirSync(join(closure, 'etc', name));
    writeFileSync(join(closure, 'etc', name, 'file'), text);
  }
  return closure;
}

/** The paths that both closures have, and that readers open again and again. */
const paths = [
  ...Object.keys(things).filter((name) => name !== 'link-or-directory'),
  'link-or-directory/file',
  'directory-or-link/file',
].map((name) => `/etc/${name}`);

async function startReader(machine: TestMachine): Promise<Reading> {
  const options: ReaderOptions = { files: Object.fromEntries(paths.map((path) => [path, [A, B]])), enough: ENOUGH };
  // Too long for an argument.
  const file = `/run/reader-${crypto.randomUUID()}`;
  writeFileSync(machine.on(file), JSON.stringify(options));
  const { status, stdout, stderr } = await machine.run([
    process.execPath,
    join(import.meta.dir, '../support/reader.ts'),
    file,
  ]);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Reading;
}

test('no reader ever finds a common path missing, or anything but the whole old or the whole new content', async () => {
  await withMachine({}, async (machine) => {
    const closures = ([0, 1] as const).map((which) => {
      mkdirSync(machine.on(`/var/closure-${which}`));
      writeClosure(machine.on(`/var/closure-${which}`), which);
      return `/var/closure-${which}`;
    });
    await machine.activate('switch', closures[0] ?? '');
    const readers = Array.from({ length: READERS }, async () => startReader(machine));
    for (let count = 0; count < SWITCHES; count += 1) {
      // The first few make a generation each, the others go from one to the other.
      const target = count < 4 ? (closures[(count + 1) % 2] ?? '') : String(4 + (count % 2));
      await machine.activate('switch', target);
    }
    await machine.shell(`touch ${ENOUGH}`);
    const readings = await Promise.all(readers);
    expect(readings.flatMap(({ failures }) => failures)).toEqual([]);
    const reads = readings.reduce((sum, reading) => sum + reading.reads, 0);
    console.log(`${reads} reads by ${READERS} readers during ${SWITCHES} switches`);
    const unseen = readings.flatMap(({ seen }) => Object.entries(seen).filter(([, counts]) => counts.includes(0)));
    expect(unseen).toEqual([]);
  });
}, 300_000);
