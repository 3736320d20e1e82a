import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageKind } from '../../src/core/records/overlay';
import type { TestMachine } from './machine';
import { seal } from './seal';

export const kinds = ['squashfs', 'erofs'] as const satisfies readonly ImageKind[];

/** Makes an image of a directory, with all that an image can carry of it; the same twice is the same image. */
export function writeImage(kind: ImageKind, directory: string, file: string): void {
  rmSync(file, { force: true });
  const command =
    kind === 'squashfs'
      ? ['mksquashfs', directory, file, '-noappend', '-quiet', '-no-progress', '-mkfs-time', '0']
      : ['mkfs.erofs', '--quiet', '-U', '00000000-0000-0000-0000-000000000000', file, directory];
  // Without it an erofs has the time at which it was made; with it, times later than that are not kept.
  const env = { ...process.env, ...(kind === 'erofs' ? { SOURCE_DATE_EPOCH: '4000000000' } : {}) };
  const { status, stdout, stderr } = spawnSync(command[0] ?? '', command.slice(1), { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`);
}

/** The file that has the image of a closure, which is made: both as the machine sees them. */
export function imageOn(machine: TestMachine, kind: ImageKind, closure: string): string {
  const file = `${closure}.${kind}`;
  writeImage(kind, machine.on(closure), machine.on(file));
  return file;
}

/** A bundle with an image of its overlay, made from a closure: both as the machine sees them. */
export async function bundleOn(machine: TestMachine, kind: ImageKind, closure: string): Promise<string> {
  const bundle = `${closure}.${kind}.bundle`;
  await machine.shell(`rm -rf ${bundle}`);
  await machine.activate('generate', closure, '--output', bundle);
  const at = machine.on(bundle);
  const file = join(at, `image.${kind}`);
  writeImage(kind, join(at, 'overlay'), file);
  rmSync(join(at, 'overlay'), { recursive: true });
  const manifest = readFileSync(join(at, 'manifest.json'));
  const withheldFile = join(at, 'withheld.json');
  const withheld = existsSync(withheldFile)
    ? (JSON.parse(readFileSync(withheldFile, 'utf8')) as { digests: object }).digests
    : {};
  const overlay = { kind, sizeBytes: statSync(file).size, digest: digestOf(readFileSync(file)) };
  const { format, entries } = JSON.parse(String(manifest)) as { format: string; entries: readonly unknown[] };
  const digest = digestOf(manifest, Buffer.from(JSON.stringify([withheld, overlay, false])));
  const record = { schema: 1, format, overlay, rules: [], paths: entries.length, digest, version: 'test' };
  writeFileSync(join(at, 'bundle.json'), seal(record));
  return bundle;
}

function digestOf(...pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/** What is mounted on the machine, and which of its images have a loop device. */
export async function mountedOn(machine: TestMachine): Promise<readonly string[]> {
  const mounts = await machine.shell('cut -d" " -f 4- /proc/self/mountinfo');
  return [...mounts.split('\n').filter((line) => line !== ''), ...(await loopsOn(machine))];
}

/** The images of generations, and those in /var/images, that have a loop device; other machines have such names as well. */
export async function loopsOn(machine: TestMachine): Promise<readonly string[]> {
  const list = await machine.shell('losetup --list --noheadings --raw --output BACK-FILE,BACK-INO');
  const loops = list.split('\n').map((line) => line.split(' '));
  const isOurs = ([file = '', inode]: readonly string[]): boolean =>
    /^\/var\/(?:lib\/activate|images)\//u.test(file) &&
    String(lstatSync(machine.on(file), { throwIfNoEntry: false })?.ino) === inode;
  return loops
    .filter(isOurs)
    .map(([file = '']) => file)
    .toSorted();
}

const MOUNTS = '/run/activate/gen/';

/** The numbers of the generations that are mounted, in order; one that is mounted twice is there twice. */
export async function shownOn(machine: TestMachine): Promise<readonly string[]> {
  const places = await mountPoints(machine);
  return places.flatMap((place) => (place.startsWith(MOUNTS) ? [place.slice(MOUNTS.length)] : [])).toSorted();
}

/** A power cut takes all of /run, and every mount there. */
export async function cutPower(machine: TestMachine): Promise<void> {
  const mounts = (await mountPoints(machine)).filter((place) => place.startsWith('/run/'));
  await machine.shell(`for mount in ${mounts.join(' ')}; do umount --lazy "$mount"; done; rm -rf /run/*`);
}

async function mountPoints(machine: TestMachine): Promise<string[]> {
  return (await machine.shell('cut -d" " -f 5 /proc/self/mountinfo')).split('\n');
}
