import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { openNamespace } from '../support/namespace';
import { measure, type Sample } from './measure';

/** What `generate --image` is held against: the program that makes such images, on the very tree. */
const bare = {
  squashfs: (tree: string, to: string) =>
    `mksquashfs ${tree} ${to} -noappend -mkfs-time 0 -all-time 0 -no-progress -quiet -comp zstd`.split(' '),
  erofs: (tree: string, to: string) =>
    ['mkfs.erofs', '--quiet', '-T0', '-U7f0d4aa2-0000-4000-8000-000000000000', to, tree] as const,
} as const;

export const imageKinds = ['squashfs', 'erofs'] as const;

/** Samples of `activate generate --image` and of the bare program, by turns. */
export function measureImages(
  activate: string,
  kind: (typeof imageKinds)[number],
  { files, runs }: { readonly files: number; readonly runs: number },
): { readonly ours: Sample[]; readonly bare: Sample[] } {
  const top = makeTemporaryDirectory();
  try {
    writeTree(join(top, 'tree'), files);
    const [ours, others]: [Sample[], Sample[]] = [[], []];
    for (let run = 0; run <= runs; run += 1) {
      const output = join(top, 'bundle');
      ours.push(insist([activate, 'generate', join(top, 'tree'), '--output', output, '--image', kind]));
      rmSync(output, { recursive: true });
      others.push(insist(bare[kind](join(top, 'tree'), join(top, 'image'))));
      rmSync(join(top, 'image'));
    }
    return { ours, bare: others };
  } finally {
    removeTree(top);
  }
}

/** Samples of `activate switch` between two trees, and between bundles of the same content with an image of each kind, by turns. */
export async function measureSwitches(
  activate: string,
  { files, runs }: { readonly files: number; readonly runs: number },
): Promise<Readonly<Record<'tree' | (typeof imageKinds)[number], Sample[]>>> {
  const samples = { tree: [] as Sample[], squashfs: [] as Sample[], erofs: [] as Sample[] };
  const top = makeTemporaryDirectory();
  const kinds = ['tree', ...imageKinds] as const;
  const machines = await Promise.all(kinds.map(async (kind) => ({ kind, machine: await openNamespace() })));
  try {
    for (const name of ['one', 'two']) {
      writeTree(join(top, name), files);
      if (name === 'two') change(join(top, name), files);
      for (const kind of imageKinds)
        insist([activate, 'generate', join(top, name), '--output', join(top, `${name}-${kind}`), '--image', kind]);
    }
    for (let run = 0; run <= runs; run += 1) {
      const name = run % 2 === 0 ? 'one' : 'two';
      for (const { kind, machine } of machines) {
        const closure = join(top, kind === 'tree' ? name : `${name}-${kind}`);
        samples[kind].push(insist(machine.enter([activate, 'switch', closure])));
      }
    }
    return samples;
  } finally {
    for (const { machine } of machines) await machine.close();
    removeTree(top);
  }
}

/** Samples of `activate verify`, and of reading each managed path once, by turns. */
export async function measureVerify(
  activate: string,
  { files, runs }: { readonly files: number; readonly runs: number },
): Promise<{ readonly verify: Sample[]; readonly read: Sample[] }> {
  const machine = await openNamespace();
  try {
    writeTree(machine.on('/closure'), files);
    insist(machine.enter([activate, 'switch', '/closure']));
    const [verify, read]: [Sample[], Sample[]] = [[], []];
    for (let run = 0; run <= runs; run += 1) {
      verify.push(insist(machine.enter([activate, 'verify'])));
      read.push(insist(machine.enter(['bash', '-c', 'cat /etc/section-*/* | sha256sum'])));
    }
    return { verify, read };
  } finally {
    await machine.close();
  }
}

function insist(command: readonly string[]): Sample {
  const sample = measure(command);
  if (sample.status !== 0) throw new Error(`${command.join(' ')}: status ${sample.status}\n${sample.stderr}`);
  return sample;
}

/** Text of 0.2 to 8 KiB a file, 3 on average, which is what an /etc has, and as compressible. */
function writeTree(tree: string, files: number): void {
  const next = numbers();
  for (let index = 0; index < files; index += 1) {
    const directory = join(tree, 'etc', `section-${index % 300}`);
    if (index < 300) mkdirSync(directory, { recursive: true });
    const size = 200 + 7800 * (next() / 2 ** 32) ** 2;
    let text = `# entry ${index}\n`;
    while (text.length < size) text += `${words[next() % words.length]}-${next() % 997} = ${next().toString(36)}\n`;
    writeFileSync(join(directory, `entry-${index}.conf`), text);
  }
}

/** Every hundredth file. */
function change(tree: string, files: number): void {
  for (let index = 0; index < files; index += 100)
    writeFileSync(join(tree, 'etc', `section-${index % 300}`, `entry-${index}.conf`), 'changed\n');
}

const words = 'listen address timeout enable path user group mode option allow deny include server client limit'.split(
  ' ',
);

/** The same numbers in every run. */
function numbers(): () => number {
  let state = 1;
  return () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
}
