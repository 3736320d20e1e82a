import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Namespace, openNamespace } from '../support/namespace';
import { writeClosures } from './closures';
import { imageKinds, measureImages, measureSwitches, measureVerify } from './images';
import { measure, type Sample } from './measure';
import { measureSafety, type Safety } from './safety';

// Run as `npm run bench [ENTRIES…]`, with IMAGES="FILES…" for other images: medians of interleaved runs of whole processes, and ratios within one run.

const RUNS = Number(process.env['RUNS'] ?? 5);
const sizes = process.argv.slice(2).map(Number);
const imageSizes =
  process.env['IMAGES'] === undefined ? [1500, 20_000] : process.env['IMAGES'].split(' ').filter(Boolean).map(Number);
const activate = join(import.meta.dir, '../../dist/activate');

interface Row {
  readonly what: string;
  readonly samples: Sample[];
}

startUp();
for (const entries of sizes.length > 0 ? sizes : [300, 1500, 10_000, 100_000]) await benchmark(entries);

await verifying(10_000);

/** Holding everything against the record, beside reading it. */
async function verifying(files: number): Promise<void> {
  const { verify, read } = await measureVerify(activate, { files, runs: RUNS });
  const base = { what: 'cat | sha256sum', samples: read };
  print(`${files} files of one generation`, [{ what: 'activate verify', samples: verify }, base], base);
}

for (const files of imageSizes) {
  for (const kind of imageKinds) images(kind, files);
  await switches(files);
}

/** A switch between images, beside one between trees of the same content; the first is from nothing and not counted. */
async function switches(files: number): Promise<void> {
  const { tree, squashfs, erofs } = await measureSwitches(activate, { files, runs: RUNS });
  const base = { what: 'activate switch TREE', samples: tree };
  const rows = [
    { what: 'activate switch, squashfs', samples: squashfs },
    { what: 'activate switch, erofs', samples: erofs },
    base,
  ];
  print(`${files} files, 1 % changed`, rows, base);
}

/** An image of a tree, beside what the bare program takes. */
function images(kind: (typeof imageKinds)[number], files: number): void {
  const { ours, bare } = measureImages(activate, kind, { files, runs: RUNS });
  const base = { what: kind === 'squashfs' ? 'mksquashfs' : 'mkfs.erofs', samples: bare };
  print(`${files} files in one image`, [{ what: `activate generate --image ${kind}`, samples: ours }, base], base);
}

/** How long the program takes to say its version. */
function startUp(): void {
  const rows: Row[] = [{ what: 'activate --version', samples: [] }];
  for (let run = 0; run <= RUNS * 4; run += 1) take(rows, 0, [activate, '--version']);
  print('start-up', rows);
}

function take(rows: readonly Row[], index: number, command: readonly string[]): void {
  const sample = measure(command);
  if (sample.status !== 0) throw new Error(`${command.join(' ')}: status ${sample.status}\n${sample.stderr}`);
  rows[index]?.samples.push(sample);
}

/**
 * One switch of 1 %, there and back, beside two things that a person could use instead on the same closure: the full
 * snippet through systemd-tmpfiles, on an /etc that shows it already, and rsync of a tree with the files themselves.
 */
async function benchmark(entries: number): Promise<void> {
  const namespace = await openNamespace();
  try {
    mkdirSync(namespace.on('/nix/store'), { recursive: true });
    const { first, second } = writeClosures(namespace.on('/nix/store'), { entries, copies: 0.05 }, 0.01);
    await insist(
      namespace,
      `${materialise(first, '/var/one')} && ${materialise(second, '/var/two')} && mkdir /var/copy && sync`,
    );
    const inside = namespace.enter;
    const fromNothing = measure(inside([activate, 'switch', first]));
    const snippet = '/var/lib/activate/generations/1/tmpfiles.d/activate.conf';
    const rows: Row[] = [
      'activate switch',
      'activate switch, nothing to do',
      'systemd-tmpfiles --create',
      'rsync -aH --delete',
    ].map((what) => ({ what, samples: [] }));
    const swaps: number[] = [];
    const safety: Safety[] = [];
    for (let run = 0; run <= RUNS; run += 1) {
      const closure = run % 2 === 0 ? second : first;
      take(rows, 0, inside([activate, 'switch', '--json', closure]));
      swaps.push(swapOf(rows[0]?.samples.at(-1)));
      take(rows, 1, inside([activate, 'switch', closure]));
      take(rows, 2, inside(['systemd-tmpfiles', '--create', snippet]));
      take(rows, 3, inside(['rsync', '-aH', '--delete', run % 2 === 0 ? '/var/two/' : '/var/one/', '/var/copy/']));
    }
    for (let run = 0; run < RUNS; run += 1)
      safety.push(measureSafety(namespace, [activate, 'switch', run % 2 === 0 ? first : second]));
    print(`${entries} entries, 5 % copies, 1 % changed`, rows, rows[2]);
    console.log(
      `  first switch, from nothing: ${fromNothing.milliseconds.toFixed(0)} ms, ${fromNothing.megabytes.toFixed(0)} MB`,
    );
    console.log(`  the swap, from the first rename to the last: ${median(swaps).toFixed(2)} ms`);
    console.log(`  ${describeSafety(safety, rows[0])}\n`);
  } finally {
    await namespace.close();
  }
}

function describeSafety(safety: readonly Safety[], row: Row | undefined): string {
  const whole = median((row?.samples ?? []).slice(1).map(({ milliseconds }) => milliseconds));
  const [syncs, records] = [median(safety.map((each) => each.syncs)), median(safety.map((each) => each.records))];
  const share = (100 * (syncs + records)) / (whole - syncs - records);
  return `syncs ${syncs.toFixed(1)} ms, journal and records ${records.toFixed(1)} ms: ${share.toFixed(0)} % on top of the rest`;
}

function swapOf(sample: Sample | undefined): number {
  return (JSON.parse(sample?.stdout ?? '{}') as { swapMs?: number }).swapMs ?? Number.NaN;
}

/** What rsync copies is files, without the closure's sidecars. */
function materialise(closure: string, to: string): string {
  return `cp -rL ${closure}/etc ${to} && find ${to} -name '*.mode' -delete -o -name '*.uid' -delete -o -name '*.gid' -delete`;
}

async function insist(namespace: Namespace, script: string): Promise<void> {
  const { status, stderr } = await namespace.run(['bash', '-c', script]);
  if (status !== 0) throw new Error(stderr);
}

/** The first run of each is not counted. */
function print(title: string, rows: readonly Row[], base?: Row): void {
  console.log(title);
  for (const { what, samples } of rows) {
    const counted = samples.slice(1);
    const time = median(counted.map(({ milliseconds }) => milliseconds));
    const ratio =
      base === undefined
        ? ''
        : ` ${median(counted.map(({ milliseconds }, index) => milliseconds / (base.samples[index + 1]?.milliseconds ?? Number.NaN))).toFixed(2)} ×`;
    const memory = Math.max(...counted.map(({ megabytes }) => megabytes)).toFixed(0);
    console.log(`  ${what.padEnd(32)} ${time.toFixed(1).padStart(9)} ms${ratio.padStart(9)} ${memory.padStart(6)} MB`);
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
