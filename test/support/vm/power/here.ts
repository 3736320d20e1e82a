import { chmodSync, cpSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeContents } from '../../closures';
import { makeTemporaryDirectory, removeTree } from '../../sandbox';
import { insist } from '../running';
import { own } from './closures';
import { guest, ownLook, type Powered, type Session, type Stock, writeClosures } from './stock';

const project = resolve(import.meta.dir, '../../../..');
const WORK = '/srv/payload';

/**
 * A machine that shares the kernel and /usr of this one: a disk, namespaces and the boot hook. It is up in a second, and when its
 * power goes it loses what was not written to its disk.
 */
export async function machineHere(directory: string): Promise<Stock> {
  const root = join(directory, 'root');
  for (const name of ['etc', 'dev', 'proc', 'run', 'tmp', 'usr', 'var/lib', WORK.slice(1)])
    mkdirSync(join(root, name), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${name}`, join(root, name));
  writeContents(join(root, 'etc'), { passwd: 'root:x:0:0::/root:/bin/sh\n', group: 'root:x:0:\n', hosts: '', ...own });
  await insist(['find', join(root, 'etc'), '-exec', 'touch', '-h', '-d', '2020-02-03T04:05:06', '{}', '+']);
  writeClosures(join(root, 'srv/closures'));
  const payload = join(directory, 'payload');
  cpSync(guest, payload, { recursive: true });
  const library = join(payload, 'usr/lib/activate');
  mkdirSync(library, { recursive: true });
  for (const [name, mode] of [
    ['boot', 0o755],
    ['bless', 0o755],
    ['bring.sh', 0o644],
  ] as const) {
    cpSync(join(project, 'src/hooks', name.endsWith('.sh') ? name : `${name}.sh`), join(library, name));
    chmodSync(join(library, name), mode);
  }
  cpSync(join(project, 'dist/activate'), join(payload, 'activate'));
  const disk = join(directory, 'disk');
  await insist(['mke2fs', '-q', '-t', 'ext4', '-d', root, disk, '160M']);
  const look = await powerHere(payload, disk, { run: `${WORK}/look own`, cut: undefined, mounted: undefined });
  return {
    disk,
    own: ownLook(look.console),
    work: WORK,
    power: (base, session) =>
      powerHere(payload, base, { ...session, run: `sh ${WORK}/boot-here || exit\n${session.run}` }),
  };
}

async function powerHere(payload: string, disk: string, { run, cut, mounted = '' }: Session): Promise<Powered> {
  const here = makeTemporaryDirectory();
  try {
    renameSync(disk, join(here, 'disk'));
    await insist(['cp', '--recursive', '--link', payload, join(here, 'payload')]);
    writeFileSync(join(here, 'payload/run'), `${run}\nsync\n`);
    const started = performance.now();
    const machine = Bun.spawn(
      ['unshare', '--mount', '--propagation', 'private', '--', 'sh', join(guest, 'machine'), here, mounted],
      { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' },
    );
    const { text, isCut } = await follow(machine, cut);
    const status = await machine.exited;
    if (status !== 0) throw new Error(`the machine ended with status ${status}: ${text}`);
    renameSync(join(here, 'cut'), disk);
    return { ended: isCut ? 'cut' : 'run', console: text, seconds: (performance.now() - started) / 1000 };
  } finally {
    removeTree(here);
  }
}

async function follow(
  machine: { readonly stdout: ReadableStream<Uint8Array>; kill(signal: NodeJS.Signals): void },
  cut: Session['cut'],
): Promise<{ readonly text: string; readonly isCut: boolean }> {
  const decoder = new TextDecoder();
  let [text, isCut] = ['', false];
  for await (const chunk of machine.stdout) {
    text += decoder.decode(chunk, { stream: true });
    if (isCut || cut?.after.test(text) !== true) continue;
    isCut = true;
    setTimeout(() => machine.kill('SIGTERM'), cut.ms);
  }
  return { text, isCut };
}
