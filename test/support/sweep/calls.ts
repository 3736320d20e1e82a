import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One system call of a run, on something below the root. */
export interface Call {
  /** Whether it changes the machine, or `activate` looks at it. */
  readonly does: 'change' | 'look';
  /** The program that makes it and which of its runs that is, as in `cp.1`. */
  readonly program: string;
  readonly name: string;
  /** Which of the calls of that name it is that the program makes, from 1. */
  readonly nth: number;
  /** What it is about, without what differs from run to run. */
  readonly about: string;
  /** For each name the number of calls before this one, by which what comes from here on can be named. */
  readonly before: Readonly<Record<string, number>>;
}

const changing = words(`
  creat open openat rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir mkdir mkdirat mknod mknodat
  write writev pwrite64 truncate ftruncate fallocate sendfile copy_file_range ioctl fsync fdatasync syncfs
  chmod fchmod fchmodat chown lchown fchown fchownat utimensat
  setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
  mount umount2 fsopen fsconfig fsmount move_mount`);
const looking = words('openat2 statx readlinkat getdents64 read');

/** What strace is asked to show; not every machine has each of them. */
export const traced = [...changing, ...looking].map((name) => `?${name}`).join(',');

function words(text: string): string[] {
  return text.trim().split(/\s+/u);
}

/** Reads what strace wrote about the programs of one run, the first of them first. */
export function readCalls(logs: string, root: string): Call[] {
  return readdirSync(logs)
    .toSorted()
    .flatMap((program) => callsOf(program, readFileSync(join(logs, program), 'utf8'), root));
}

/** What a program did at the place of a call; another run has to have come the same way. */
export function aboutOfCall({ program, name, nth }: Call, logs: string, root: string): string | undefined {
  const lines = readFileSync(join(logs, program), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${name}(`));
  const line = lines[nth - 1];
  return line === undefined ? undefined : aboutOf(name, line, root);
}

function callsOf(program: string, log: string, root: string): Call[] {
  const counts: Record<string, number> = {};
  return log.split('\n').flatMap((line) => {
    const name = /^\w+(?=\()/u.exec(line)?.[0];
    if (name === undefined) return [];
    const before = { ...counts };
    const nth = (counts[name] ?? 0) + 1;
    counts[name] = nth;
    const does = doingOf(name, line, root);
    if (does === undefined || (does === 'look' && program !== 'activate')) return [];
    return [{ does, program, name, nth, about: aboutOf(name, line, root), before }];
  });
}

/** What a call does below the root. Changes that fail by themselves (a directory that is there) are none. */
function doingOf(name: string, line: string, root: string): Call['does'] | undefined {
  // What looks into an image mounts that where nobody else sees it, and a loop device has a name of its own.
  const isMounting = /^(?:mount|fs\w+|move_mount)\(|^ioctl\(.* LOOP_/u.test(line);
  if (!isMounting && !line.includes(`<${root}`) && !line.includes(`"${root}`)) return undefined;
  if (looking.includes(name)) return 'look';
  if (name === 'ioctl') return /FICLONE|SETFLAGS|LOOP_(?:CONFIGURE|SET|CLR)/u.test(line) ? 'change' : 'look';
  if (name.startsWith('open') && !/O_(?:WRONLY|RDWR|CREAT|TRUNC)/u.test(line)) return 'look';
  return /\) += -1 /u.test(line) ? undefined : 'change';
}

/** Names that are random or tell the time, and what was read or written, differ from run to run. */
function aboutOf(name: string, line: string, root: string): string {
  const plain = line
    .replace(/\) += .*$/su, ')')
    .replaceAll(root, '')
    .replaceAll(/\/dev\/loop\d+/gu, '/dev/loopN')
    .replaceAll(/\.activate\.record\.[\da-f-]+/gu, '.activate.record.ID')
    .replaceAll(/\.activate\.[\da-z]{6,}\./gu, '.activate.TOKEN.')
    .replaceAll(/\.#(.*?)[\da-f]{16}/gu, '.#$1ID')
    .replaceAll(/\d+</gu, '<');
  const descriptors = [...plain.matchAll(/<[^>]*>/gu)].join(' ');
  if (/^(?:openat2|statx|readlinkat)$/u.test(name)) return `${name} ${descriptors} ${/"[^"]*"/u.exec(plain)?.[0]}`;
  const hasData = /^(?:read|p?write|getdents|ioctl|copy_file_range|sendfile|utimensat|fsetxattr|ftruncate)/u.test(name);
  return hasData ? `${name} ${descriptors}` : plain.replace('(', ' (');
}

/** What happens to a run at one call. */
export type Fault =
  /** The program ends there, and with it, in a power cut, the one that started it. */
  | { readonly kind: 'kill' }
  /** A program that was started ends there, alone. */
  | { readonly kind: 'kill the child' }
  | { readonly kind: 'error'; readonly errno: string }
  /** Nothing can be written any more. */
  | { readonly kind: 'errors from there on'; readonly errno: string };

/** The options of strace that make a fault happen. */
export function faultOptions({ name, nth, before }: Call, fault: Fault): string[] {
  switch (fault.kind) {
    case 'kill':
    case 'kill the child':
      return ['-e', `inject=${name}:signal=KILL:when=${nth}`];
    case 'error':
      return ['-e', `inject=${name}:error=${fault.errno}:when=${nth}`];
    case 'errors from there on':
      return changing.flatMap((each) => [
        '-e',
        `inject=?${each}:error=${fault.errno}:when=${(before[each] ?? 0) + 1}+`,
      ]);
  }
}

export function describeFault(call: Call, fault: Fault): string {
  const errno = 'errno' in fault ? ` ${fault.errno}` : '';
  return `${fault.kind}${errno} at ${call.program} ${call.name} ${call.nth}: ${call.about}`;
}
