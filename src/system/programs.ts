import type { Result } from 'execa';
import { decodeName } from '../core/bytes';
import { ActivateError } from '../core/errors';

export interface ProgramOptions {
  /** What the program reads; nothing unless given. */
  readonly input?: Uint8Array | string | Iterable<Uint8Array>;
  /** Variables beyond those of this process; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Descriptors that the program keeps open to its end, such as that of a lock; they are 3, 4, … there. */
  readonly inherit?: readonly number[];
  /** Ends the program with SIGTERM. */
  readonly signal?: AbortSignal;
}

/** How a program ended by itself. Bytes that are not UTF-8 are kept as `decodeName` keeps them. */
export interface ProgramResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The Debian packages of programs that somebody may have to install. */
const packages: Readonly<Record<string, string>> = {
  'systemd-tmpfiles': 'systemd',
  'systemd-sysusers': 'systemd',
  systemctl: 'systemd',
  mksquashfs: 'squashfs-tools',
  unsquashfs: 'squashfs-tools',
  'mkfs.erofs': 'erofs-utils',
  'fsck.erofs': 'erofs-utils',
  tar: 'tar',
  unshare: 'util-linux',
  mount: 'mount',
  umount: 'mount',
  setcap: 'libcap2-bin',
  modinfo: 'kmod',
};

/**
 * Runs a program to its end, found in PATH, with messages in English; any exit status is a result.
 *
 * It runs in a session of its own: Ctrl-C in the terminal reaches `activate` alone, which then undoes things in order.
 *
 * @throws {ActivateError} `REFUSED` where the program is missing or an argument is not UTF-8, which cannot be passed; `IO`
 *   where it cannot be started or is ended by a signal; and what the input throws.
 */
export async function runProgram(
  name: string,
  args: readonly string[],
  { input, env, signal, inherit = [] }: ProgramOptions = {},
): Promise<ProgramResult> {
  const unpassable = args.find((argument) => !argument.isWellFormed());
  if (unpassable !== undefined) {
    throw new ActivateError('REFUSED', `cannot pass a name that is not UTF-8 to ${name}`, { path: unpassable });
  }
  const { execa } = (await import('execa')) as unknown as { readonly execa: Run };
  const failed: unknown[] = [];
  const given = typeof input === 'object' && !(input instanceof Uint8Array) ? await streamOf(input, failed) : input;
  const options = {
    env: { LC_ALL: 'C', CREDENTIALS_DIRECTORY: undefined, ...env },
    encoding: 'buffer',
    stripFinalNewline: false,
    detached: true,
    reject: false,
    ...(given === undefined ? {} : { input: given }),
    stdio: [given === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', ...inherit],
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  };
  const result = await execa(name, args, options);
  if (failed.length > 0) throw failed[0];
  if (result.exitCode === undefined) throw explain(name, result);
  return { status: result.exitCode, stdout: decodeName(result.stdout), stderr: decodeName(result.stderr) };
}

/**
 * {@link runProgram} for one that takes a few milliseconds and is over when this returns; it inherits nothing.
 *
 * @throws {ActivateError} as {@link runProgram} does
 */
export function runProgramAtOnce(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ProgramResult {
  const { CREDENTIALS_DIRECTORY: _, ...own } = Bun.env;
  const ended = spawnAtOnce([name, ...args], { ...own, LC_ALL: 'C', ...env });
  if (ended.signalCode !== undefined)
    throw new ActivateError('IO', `${name} was ended by ${ended.signalCode}`, { cause: ended });
  return { status: ended.exitCode, stdout: decodeName(ended.stdout), stderr: decodeName(ended.stderr) };
}

function spawnAtOnce(command: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  try {
    return Bun.spawnSync([...command], { env: { ...env }, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' });
  } catch (error) {
    const { code = '', message } = error as { readonly code?: string; readonly message: string };
    throw explain(command[0] ?? '', { code, isCanceled: false, shortMessage: message });
  }
}

/** The program sees an early end where the input throws; `failed` gets to know why. */
async function streamOf(pieces: Iterable<Uint8Array>, failed: unknown[]): Promise<object> {
  const { Readable } = await import('node:stream');
  function* noting(): Generator<Uint8Array> {
    try {
      yield* pieces;
    } catch (error) {
      failed.push(error);
      throw error;
    }
  }
  return Readable.from(noting());
}

/** As far as it is used here; its own types do not know descriptors that are decided at run time. */
type Run = (name: string, args: readonly string[], options: object) => Promise<Ended>;
type Ended = Failed & { readonly exitCode?: number; readonly stdout: Uint8Array; readonly stderr: Uint8Array };
type Failed = Pick<Result, 'code' | 'signal' | 'isCanceled' | 'shortMessage'>;

function explain(name: string, result: Failed): ActivateError {
  if (result.code === 'ENOENT') {
    const debianPackage = packages[name];
    const hint = debianPackage === undefined ? {} : { hint: `Install the Debian package ${debianPackage}.` };
    return new ActivateError('REFUSED', `${name} is not installed`, { ...hint, cause: result });
  }
  if (result.isCanceled) return new ActivateError('IO', `${name} was stopped`, { cause: result });
  if (result.signal !== undefined)
    return new ActivateError('IO', `${name} was ended by ${result.signal}`, { cause: result });
  return new ActivateError('IO', `cannot run ${name}: ${result.shortMessage}`, { cause: result });
}

/**
 * Makes sure that a program can be started, before anything depends on it.
 *
 * @throws {ActivateError} `REFUSED` where it is missing
 */
export function requireProgram(name: string): void {
  if (!hasProgram(name)) throw explain(name, { code: 'ENOENT', isCanceled: false, shortMessage: '' });
}

/** Whether a program is installed. */
export function hasProgram(name: string): boolean {
  // Said anew each time: the runtime may remember where it looked before.
  return Bun.which(name, { PATH: Bun.env['PATH'] ?? '' }) !== null;
}
