import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import type { ImageKind } from '../../src/core/records/overlay';
import { writeContents } from '../support/closures';
import { bundleOn, imageOn, kinds, mountedOn } from '../support/images';
import { openMachine, type TestMachine } from '../support/machine';
import { seal } from '../support/seal';
import { type Seen, takeSnapshot } from '../support/snapshot';

const CLOSURE = '/var/images/closure';
const OTHER = '/var/images/other';

let machine: TestMachine;
beforeAll(async () => {
  machine = await openMachine();
  mkdirSync(machine.on('/var/images'));
  // Neither kind can press it, so its bytes are in the image as they are here.
  const noise = crypto.getRandomValues(new Uint8Array(60_000));
  for (const closure of [CLOSURE, OTHER]) {
    writeContents(machine.on(closure), { 'etc/motd': `${closure}\n`, 'etc/deep/er/file': 'x\n', 'etc/noise': '' });
    writeFileSync(machine.on(`${closure}/etc/noise`), noise);
  }
  await machine.activate('switch', imageOn(machine, 'squashfs', OTHER));
  await machine.activate('switch', imageOn(machine, 'erofs', OTHER));
});
afterAll(async () => machine.close());

interface World {
  readonly seen: Seen[];
  readonly mounts: readonly string[];
}

/** Everything that belongs to the machine: /etc, /run, /var, what is mounted, which loop devices there are. */
async function world(): Promise<World> {
  return { seen: takeSnapshot(machine.root, { inodes: true }), mounts: await mountedOn(machine) };
}

/** Runs what may not change anything, and returns how it ended. */
async function refuse(...args: readonly string[]): Promise<{ status: number; stderr: string }> {
  const before = await world();
  const { status, stdout, stderr } = await machine.attempt(args);
  const after = await world();
  expect({ ...after, stdout }).toEqual({ ...before, stdout: '' });
  return { status, stderr };
}

/** Turns over the bits of one byte. */
function flip(file: string, offset: number): void {
  const bytes = readFileSync(file);
  bytes[offset] = (bytes[offset] ?? 0) ^ 0xff;
  writeFileSync(file, bytes);
}

/** Somewhere in the content of a file. */
function insideNoise(file: string): number {
  const noise = readFileSync(machine.on(`${CLOSURE}/etc/noise`));
  const at = readFileSync(file).indexOf(noise.subarray(20_000, 20_064));
  if (at < 0) throw new Error('the noise is not in the image');
  return at;
}

const superblocks: Readonly<Record<ImageKind, number>> = { squashfs: 28, erofs: 1024 + 40 };

/** What is done to an image; `bundle alone` is what only a digest can tell. */
const damages: readonly (readonly [
  what: string,
  damage: (file: string, kind: ImageKind) => void,
  'any' | 'bundle alone',
])[] = [
  ['a flipped byte in the content of a file', (file) => flip(file, insideNoise(file)), 'bundle alone'],
  ['a flipped byte in the superblock', (file, kind) => flip(file, superblocks[kind]), 'any'],
  ['another magic number', (file, kind) => flip(file, kind === 'erofs' ? 1024 : 0), 'any'],
  ['nothing in it', (file) => truncateSync(file, 0), 'any'],
  ['nothing behind the superblock', (file) => truncateSync(file, 4096), 'any'],
  ['its second half cut off', (file) => truncateSync(file, Math.floor(statSync(file).size / 2)), 'any'],
  ['its last page cut off', (file) => truncateSync(file, statSync(file).size - 4096), 'any'],
  ['more bytes than were written', (file) => truncateSync(file, statSync(file).size + 4096), 'bundle alone'],
  ['zeros instead of its second half', zeroHalf, 'bundle alone'],
];

function zeroHalf(file: string): void {
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.fill(0, Math.floor(bytes.length / 2)));
}

const verbs = [
  ['switch'],
  ['test'],
  ['boot'],
  ['switch', '--in-place'],
  ['switch', '--resident'],
  ['diff'],
  ['switch', '--dry-run'],
];

describe.each([...kinds])('an image of %s', (kind) => {
  test.each(damages.filter(([, , where]) => where === 'any').map(([what, damage]) => [what, damage] as const))(
    'with %s is refused before anything changes',
    async (_what, damage) => {
      const image = imageOn(machine, kind, CLOSURE);
      damage(machine.on(image), kind);
      for (const [verb = '', ...flags] of verbs) {
        const { status, stderr } = await refuse(verb, image, ...flags);
        // What is no image any more cannot be used as one.
        const isNone = stderr.includes('only an image can be used in place');
        expect({ verb, flags, status, stderr }).toEqual({
          verb,
          flags,
          status: isNone ? 2 : 65,
          stderr: expect.stringContaining(image) as string,
        });
      }
    },
  );

  test.each(damages.map(([what, damage]) => [what, damage] as const))(
    'in a bundle, with %s is refused before anything changes',
    async (_what, damage) => {
      const bundle = await bundleOn(machine, kind, CLOSURE);
      damage(machine.on(`${bundle}/image.${kind}`), kind);
      for (const [verb = '', ...flags] of verbs) {
        const { status, stderr } = await refuse(verb, bundle, ...flags);
        expect({ verb, flags, status }).toEqual({ verb, flags, status: 65 });
        expect(stderr).toContain(`${bundle}/image.${kind}: the image is damaged`);
      }
    },
  );

  const others: readonly (readonly [what: string, change: (bundle: string) => void, said: RegExp])[] = [
    ['no image', (bundle) => rmSync(`${bundle}/image.${kind}`), /image\.\w+: the image of the bundle is missing/u],
    [
      'a directory for an image',
      (bundle) => (rmSync(`${bundle}/image.${kind}`), mkdirSync(`${bundle}/image.${kind}`)),
      /is missing/u,
    ],
    [
      'a link that leads nowhere for an image',
      (bundle) => (rmSync(`${bundle}/image.${kind}`), symlinkSync('nowhere', `${bundle}/image.${kind}`)),
      /is missing/u,
    ],
    [
      'another digest in its record',
      (bundle) => rewrite(bundle, (record) => ({ ...record, overlay: { ...record.overlay, digest: 'a'.repeat(64) } })),
      /the image is damaged: it is not what was written/u,
    ],
    [
      'another size in its record',
      (bundle) => rewrite(bundle, (record) => ({ ...record, overlay: { ...record.overlay, sizeBytes: 1 } })),
      /the image is damaged: it has \d+ bytes, and 1 were written/u,
    ],
    [
      'a record that was changed',
      (bundle) =>
        writeFileSync(`${bundle}/bundle.json`, readFileSync(`${bundle}/bundle.json`, 'utf8').replace('test', 'best')),
      /bundle\.json/u,
    ],
    ['half a record', (bundle) => truncateSync(`${bundle}/bundle.json`, 100), /bundle\.json/u],
    [
      'another manifest',
      (bundle) =>
        writeFileSync(
          `${bundle}/manifest.json`,
          readFileSync(`${bundle}/manifest.json`, 'utf8').replace('/etc/motd', '/etc/moto'),
        ),
      /manifest\.json: the manifest is damaged/u,
    ],
    ['half a manifest', (bundle) => truncateSync(`${bundle}/manifest.json`, 100), /manifest\.json/u],
    ['no manifest', (bundle) => rmSync(`${bundle}/manifest.json`), /manifest\.json: the bundle has no manifest/u],
  ];

  test.each([...others])('in a bundle with %s is refused before anything changes', async (_what, change, said) => {
    const bundle = await bundleOn(machine, kind, CLOSURE);
    change(machine.on(bundle));
    for (const [verb = '', ...flags] of verbs) {
      const { status, stderr } = await refuse(verb, bundle, ...flags);
      expect({ verb, flags, status, stderr }).toEqual({ verb, flags, status: 65, stderr: expect.stringMatching(said) });
    }
  });

  const writable: readonly (readonly [what: string, open: (image: string) => void])[] = [
    ['a group may write', (image) => (chownSync(image, 0, 12), chmodSync(image, 0o664))],
    ['everybody may write', (image) => chmodSync(image, 0o646)],
    ['belongs to somebody else', (image) => chownSync(image, 65534, 0)],
  ];

  test.each([...writable])('that %s is refused', async (_what, open) => {
    const image = imageOn(machine, kind, CLOSURE);
    const bundle = await bundleOn(machine, kind, CLOSURE);
    for (const [name, file] of [
      [image, image],
      [bundle, `${bundle}/image.${kind}`],
      [bundle, bundle],
      [bundle, `${bundle}/bundle.json`],
      [bundle, `${bundle}/manifest.json`],
    ] as const) {
      open(machine.on(file));
      for (const verb of ['switch', 'test', 'boot']) {
        const { status, stderr } = await refuse(verb, name);
        expect({ file, status, stderr }).toEqual({
          file,
          status: 3,
          stderr: expect.stringContaining(`${file}: others may write this`),
        });
      }
      chownSync(machine.on(file), 0, 0);
      chmodSync(machine.on(file), file === bundle ? 0o755 : 0o644);
    }
  });
});

const exposed: readonly (readonly [what: string, script: string])[] = [
  ['in a directory that others may write', 'chmod 777 $top'],
  ["in somebody else's directory", 'chown 65534 $top'],
  [
    'that a link in a bundle leads to, and others may write,',
    'chmod 666 $image; mv $image $top/other; ln -s $top/other $image',
  ],
];

test.each([...exposed])('an image %s is refused', async (_what, script) => {
  const bundle = await bundleOn(machine, 'erofs', CLOSURE);
  const alone = '/var/images/exposed/bundle/image.erofs';
  await machine.shell(`
    top=/var/images/exposed
    rm -rf $top; mkdir $top
    mv ${bundle} $top/bundle
    image=${alone}
    ${script}
  `);
  for (const verb of ['switch', 'test', 'boot']) {
    const { status, stderr } = await refuse(verb, '/var/images/exposed/bundle');
    expect({ status, stderr }).toEqual({
      status: 3,
      stderr: expect.stringContaining('others may write this') as string,
    });
  }
});

test('an image in a directory where everybody has a place of their own is fine', async () => {
  const image = imageOn(machine, 'erofs', CLOSURE);
  await machine.shell(`mkdir -m 1777 /var/images/sticky; mv ${image} /var/images/sticky/image`);
  expect((await refuse('switch', '/var/images/sticky/image', '--policy', 'none')).status).toBe(65);
  expect((await machine.attempt(['switch', '/var/images/sticky/image'])).status).toBe(0);
});

function rewrite(bundle: string, change: (record: { overlay: object }) => object): void {
  const file = `${bundle}/bundle.json`;
  const { seal: _, ...record } = JSON.parse(readFileSync(file, 'utf8')) as { overlay: object; seal: string };
  writeFileSync(file, seal(change(record)));
}

test.each([
  ['text', 'hello\n'],
  ['nothing', ''],
  ['a gzipped file', Buffer.from([0x1f, 0x8b, 8, 0])],
])('a file with %s is no closure', async (_what, content) => {
  const file = '/var/images/file';
  writeFileSync(machine.on(file), content);
  for (const [verb = '', ...flags] of verbs.filter(([, flag]) => flag !== '--in-place')) {
    const { status, stderr } = await refuse(verb, file, ...flags);
    expect({ status, stderr }).toEqual({
      status: 65,
      stderr: expect.stringContaining(`${file}: a closure is a directory, or an image of squashfs or erofs`),
    });
  }
});
