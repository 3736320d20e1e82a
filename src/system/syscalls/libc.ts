import { dlopen, read } from 'bun:ffi';
import { arch, constants } from 'node:os';
import { decodeName, encodeName } from '../../core/bytes';
import { type Outcome, systemCallError } from './errno';

/** What differs between architectures: numbers of calls that old C libraries have no function for, and two flags. */
const architectures = {
  x64: {
    statx: 332,
    openat2: 437,
    renameat2: 316,
    getdents64: 217,
    copyFileRange: 326,
    fcntl: 72,
    directory: 0o200000,
    noFollow: 0o400000,
  },
  arm64: {
    statx: 291,
    openat2: 437,
    renameat2: 276,
    getdents64: 61,
    copyFileRange: 285,
    fcntl: 25,
    directory: 0o40000,
    noFollow: 0o100000,
  },
} as const;

/** The numbers of this architecture. */
export const architecture = architectures[arch() === 'arm64' ? 'arm64' : 'x64'];

/** A descriptor that stands for the working directory; what is absolute does not care. */
export const workingDirectory = -100;

const functions = {
  __errno_location: { args: [], returns: 'ptr' },
  strerror: { args: ['i32'], returns: 'cstring' },
  geteuid: { args: [], returns: 'u32' },
  realpath: { args: ['ptr', 'ptr'], returns: 'ptr' },
  openat: { args: ['i32', 'ptr', 'i32', 'u32'], returns: 'i32' },
  close: { args: ['i32'], returns: 'i32' },
  faccessat: { args: ['i32', 'ptr', 'i32', 'i32'], returns: 'i32' },
  readlinkat: { args: ['i32', 'ptr', 'ptr', 'u64'], returns: 'i32' },
  symlinkat: { args: ['ptr', 'i32', 'ptr'], returns: 'i32' },
  mkdirat: { args: ['i32', 'ptr', 'u32'], returns: 'i32' },
  unlinkat: { args: ['i32', 'ptr', 'i32'], returns: 'i32' },
  fchownat: { args: ['i32', 'ptr', 'u32', 'u32', 'i32'], returns: 'i32' },
  utimensat: { args: ['i32', 'ptr', 'ptr', 'i32'], returns: 'i32' },
  futimens: { args: ['i32', 'ptr'], returns: 'i32' },
  flock: { args: ['i32', 'i32'], returns: 'i32' },
  socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
  sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i32' },
  mount: { args: ['ptr', 'ptr', 'ptr', 'u64', 'ptr'], returns: 'i32' },
  umount2: { args: ['ptr', 'i32'], returns: 'i32' },
  syncfs: { args: ['i32'], returns: 'i32' },
  name_to_handle_at: { args: ['i32', 'ptr', 'ptr', 'ptr', 'i32'], returns: 'i32' },
  ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
  flistxattr: { args: ['i32', 'ptr', 'u64'], returns: 'i32' },
  fgetxattr: { args: ['i32', 'ptr', 'ptr', 'u64'], returns: 'i32' },
  fsetxattr: { args: ['i32', 'ptr', 'ptr', 'u64', 'i32'], returns: 'i32' },
} as const;

/** `syscall(2)` takes arguments of any type, so it is bound once for each list of types. */
const bySignature = {
  statx: ['i64', 'i32', 'ptr', 'i32', 'u32', 'ptr'],
  openat2: ['i64', 'i32', 'ptr', 'ptr', 'u64'],
  renameat2: ['i64', 'i32', 'ptr', 'i32', 'ptr', 'u32'],
  getdents64: ['i64', 'i32', 'ptr', 'u32'],
  copyFileRange: ['i64', 'i32', 'ptr', 'i32', 'ptr', 'u64', 'u32'],
  fcntl: ['i64', 'i32', 'i32', 'ptr'],
} as const;

type Loaded = ReturnType<typeof load>;
let loaded: Loaded | undefined;

/** The C library of this process, glibc or musl, loaded when it is first needed. */
export function libc(): Loaded {
  loaded ??= load();
  return loaded;
}

function load() {
  const name = findLibrary();
  const { __errno_location: locateErrno, ...symbols } = dlopen(name, functions).symbols;
  const errnoAt = locateErrno();
  if (errnoAt === null) throw new Error(`${name} has no errno`);
  return {
    ...symbols,
    /** Reads errno where the call just made returned -1. Nothing may come between the two. */
    outcome: (returned: number): Outcome => (returned === -1 ? -read.i32(errnoAt, 0) : returned),
    statx: bind(name, bySignature.statx),
    openat2: bind(name, bySignature.openat2),
    renameat2: bind(name, bySignature.renameat2),
    getdents64: bind(name, bySignature.getdents64),
    copyFileRange: bind(name, bySignature.copyFileRange),
    fcntl: bind(name, bySignature.fcntl),
    /** The third argument of `ioctl` is a number for some requests. */
    ioctlNumber: dlopen(name, { ioctl: { args: ['i32', 'u64', 'i32'], returns: 'i32' } }).symbols.ioctl,
  };
}

function bind<const Arguments extends readonly ('i64' | 'i32' | 'u32' | 'u64' | 'ptr')[]>(
  name: string,
  args: Arguments,
) {
  return dlopen(name, { syscall: { args, returns: 'i32' } }).symbols.syscall;
}

/** Every process has its C library loaded already; the question is only under which name. */
function findLibrary(): string {
  const candidates = ['libc.so.6', `libc.musl-${arch() === 'arm64' ? 'aarch64' : 'x86_64'}.so.1`, 'libc.so'];
  const failures: unknown[] = [];
  for (const name of candidates) {
    try {
      dlopen(name, { close: functions.close });
      return name;
    } catch (error) {
      failures.push(error);
    }
  }
  throw new Error(`no C library among ${candidates.join(', ')}`, { cause: failures });
}

/**
 * The bytes of a name or link text with the NUL that ends them, good until the next call with the same `slot`.
 *
 * A call that takes two names puts the second one into another slot.
 *
 * @throws an error with the code EINVAL where the text holds a NUL, because the kernel would read a shorter name.
 */
export function terminated(text: string, slot: 'first' | 'second' = 'first'): Uint8Array {
  if (text.includes('\0')) throw systemCallError('encode', constants.errno.EINVAL, text);
  const bytes = slots[slot];
  // Three bytes for each UTF-16 unit is the most that UTF-8 takes.
  if (text.length * 3 >= bytes.length || !text.isWellFormed()) return encodeName(`${text}\0`);
  bytes[encoder.encodeInto(text, bytes).written] = 0;
  return bytes;
}

const encoder = new TextEncoder();
const slots = { first: new Uint8Array(16 * 1024), second: new Uint8Array(16 * 1024) };

/** The text of bytes that the kernel wrote, as `decodeName` has it, without a view of them for each. */
export function decodeRange(buffer: Buffer, start: number, end: number): string {
  const text = buffer.toString('utf8', start, end);
  return text.includes('\ufffd') ? decodeName(buffer.subarray(start, end)) : text;
}

/** What the C library says about an errno, e.g. `no space left on device`. */
export function describeErrno(errno: number): string {
  const text = libc().strerror(Math.abs(errno)) ?? `errno ${errno}`;
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** The user that permissions are checked for. */
export function effectiveUser(): number {
  return libc().geteuid();
}

/** The path without symlinks, `.` and `..`, or a negated errno. @see realpath(3) */
export function resolvePath(path: string): string | Outcome {
  const resolved = new Uint8Array(PATH_MAX);
  const found = libc().realpath(terminated(path), resolved);
  if (found === null) return libc().outcome(-1);
  return decodeName(resolved.subarray(0, resolved.indexOf(0)));
}

/** The longest path that the kernel takes, with the NUL. */
const PATH_MAX = 4096;
