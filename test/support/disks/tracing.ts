import { readdirSync, readFileSync } from 'node:fs';
import type { DiskMachine } from './disks';
import { environment } from '../namespace';

/** What changes a filesystem, or has it written out; but not what begins again when a signal comes, as copy_file_range does. */
const CALLS = [
  'rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,mkdirat,unlink,unlinkat,rmdir',
  'write,pwrite64,writev,ftruncate,fsync,fdatasync,syncfs',
  'chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utimensat,setxattr,fsetxattr,lsetxattr',
].join(',');

/** How a traced command ended. */
export interface Traced {
  readonly status: number;
  /** How often it was stopped. */
  readonly stops: number;
}

/** What becomes of the process that was stopped. */
export type AfterStop = 'go on' | 'kill';

/**
 * Runs `activate` and stops it, and what it runs, right after each system call that changes something.
 *
 * @param atStop called while nothing of it runs, with a number that counts up from 1 and the system call
 */
export async function traceActivate(
  machine: DiskMachine,
  args: readonly string[],
  atStop: (stop: number, call: string) => AfterStop | Promise<AfterStop>,
): Promise<Traced> {
  const command = machine.enter([
    'strace',
    '-f',
    '-qq',
    '-e',
    `trace=${CALLS}`,
    '-e',
    `inject=${CALLS}:signal=SIGSTOP`,
    'activate',
    ...args,
  ]);
  const child = Bun.spawn(command, { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', env: environment });
  let [stops, call, stopping] = [0, '', 0];
  for await (const line of linesOf(child.stderr)) {
    const [, pid, event = ''] = /^(?:\[pid +(\d+)\] )?(.*)$/u.exec(line) ?? [];
    if (/^[a-z]\w*\(/u.test(event)) call = event;
    if (event.startsWith('--- SIGSTOP {')) stopping = Number(pid ?? childOf(child.pid));
    // The same thread comes by twice: when the signal arrives, and when it has stopped. Only then can it go on.
    if (!event.startsWith('--- stopped by SIGSTOP') || Number(pid ?? childOf(child.pid)) !== stopping) continue;
    await untilStopped(stopping);
    stops += 1;
    const after = await atStop(stops, call);
    // Whatever it has started does not survive it.
    if (after === 'kill') for (const each of new Set([childOf(child.pid), stopping])) process.kill(each, 'SIGKILL');
    else process.kill(stopping, 'SIGCONT');
    stopping = 0;
  }
  return { status: await child.exited, stops };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}

/** What strace runs, while it has not started anything itself. */
function childOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
}

/** Every thread has to have noticed: until then others may still write. */
async function untilStopped(pid: number): Promise<void> {
  while (!isStopped(pid)) await Bun.sleep(0.2);
}

function isStopped(pid: number): boolean {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).every((task) => /\) [tTDZX] /u.test(readFileSync(`${tasks}/${task}/stat`, 'utf8')));
  } catch (error) {
    // A thread has ended between two looks.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return false;
    throw error;
  }
}
