import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What is at one path of a tree. `kind` says which of the optional fields are there. */
export interface Seen {
  /** From the tree's top, which is `/`. Bytes that are not printable UTF-8, and backslashes, are written `\xHH`. */
  readonly path: string;
  readonly kind: 'directory' | 'file' | 'symlink' | 'fifo' | 'socket' | 'device';
  /** Octal, as in `0644`; what a link has is no mode. */
  readonly mode?: string;
  readonly uid: number;
  readonly gid: number;
  /** Written as `path` is. */
  readonly linkText?: string;
  readonly sha256?: string;
  /** Nanoseconds since 1970, of everything but directories: their time says what went on in them. */
  readonly mtimeNs?: string;
  /** Values in hexadecimal; POSIX ACLs and capabilities are among them. */
  readonly xattrs?: Readonly<Record<string, string>>;
  readonly inode?: string;
}

export interface SnapshotOptions {
  /** Also which object it is: two snapshots are equal only where nothing was replaced. */
  readonly inodes?: boolean;
}

/**
 * Everything that can be seen of a tree, sorted by path, without help from what is under test.
 *
 * A link at the top is looked through, links in the tree are not.
 */
export function takeSnapshot(top: string, options: SnapshotOptions = {}): Seen[] {
  const job: Job = { xattrs: readXattrs(top), options, seen: [] };
  look(job, Buffer.from(`${top}/.`), '/');
  return job.seen.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** One sentence for each difference between two trees; none where they are equal. */
export function compareSnapshots(
  before: readonly Seen[],
  after: readonly Seen[],
  { times }: { readonly times: boolean },
): string[] {
  const were = new Map(before.map((seen) => [seen.path, seen]));
  const are = new Map(after.map((seen) => [seen.path, seen]));
  return [...new Set([...were.keys(), ...are.keys()])].toSorted().flatMap((path) => {
    const was = were.get(path);
    const is = are.get(path);
    if (was === undefined) return [`${path}: appeared (${is?.kind})`];
    if (is === undefined) return [`${path}: disappeared (${was.kind})`];
    if (was.kind !== is.kind) return [`${path}: ${was.kind} became ${is.kind}`];
    return fields
      .filter((field) => (field !== 'mtimeNs' || times) && !Bun.deepEquals(was[field], is[field]))
      .map((field) => `${path}: ${field} ${JSON.stringify(was[field])} became ${JSON.stringify(is[field])}`);
  });
}

const fields = ['mode', 'uid', 'gid', 'linkText', 'sha256', 'mtimeNs', 'xattrs', 'inode'] as const;

interface Job {
  readonly xattrs: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly options: SnapshotOptions;
  readonly seen: Seen[];
}

function look(job: Job, where: Buffer, path: string): void {
  const status = lstatSync(where, { bigint: true });
  const kind = kindOf(status);
  const xattrs = job.xattrs.get(path);
  job.seen.push({
    path,
    kind,
    ...(kind === 'symlink' ? {} : { mode: (Number(status.mode) & 0o7777).toString(8).padStart(4, '0') }),
    uid: Number(status.uid),
    gid: Number(status.gid),
    ...(kind === 'symlink' ? { linkText: printable(readlinkSync(where, { encoding: 'buffer' })) } : {}),
    ...(kind === 'file' ? { sha256: createHash('sha256').update(readFileSync(where)).digest('hex') } : {}),
    ...(kind === 'directory' ? {} : { mtimeNs: String(status.mtimeNs) }),
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(job.options.inodes === true ? { inode: String(status.ino) } : {}),
  });
  if (kind !== 'directory') return;
  for (const name of readdirSync(where, { encoding: 'buffer' })) {
    look(job, Buffer.concat([where, SLASH, name]), `${path === '/' ? '' : path}/${printable(name)}`);
  }
}

const SLASH = Buffer.from('/');

function kindOf(status: BigIntStats): Seen['kind'] {
  if (status.isDirectory()) return 'directory';
  if (status.isFile()) return 'file';
  if (status.isSymbolicLink()) return 'symlink';
  if (status.isFIFO()) return 'fifo';
  return status.isSocket() ? 'socket' : 'device';
}

/** The bytes of a name as text; different bytes give different texts. */
function printable(bytes: Buffer): string {
  const text = bytes.toString();
  const isText = Buffer.from(text).equals(bytes) && !/[\p{Cc}\\]/u.test(text);
  if (isText) return text;
  return [...bytes]
    .map((byte) => (byte < 0x20 || byte > 0x7e || byte === 0x5c ? escapeByte(byte) : String.fromCharCode(byte)))
    .join('');
}

function escapeByte(byte: number): string {
  return String.raw`\x${byte.toString(16).padStart(2, '0')}`;
}

/** The extended attributes of everything in a tree that has any; node:fs does not read them. */
function readXattrs(top: string): Map<string, Record<string, string>> {
  const { status, stdout, stderr } = spawnSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '-', '-e', 'hex', '.'], {
    cwd: top,
    maxBuffer: 1 << 30,
  });
  // A squashfs none of whose files has attributes says that it knows none.
  const failures = String(stderr)
    .split('\n')
    .filter((line) => line !== '' && !line.endsWith(': Operation not supported'));
  if (status !== 0 && failures.length > 0) throw new Error(`getfattr cannot read ${top}: ${failures.join('\n')}`);
  const found = new Map<string, Record<string, string>>();
  let attributes: Record<string, string> = {};
  // One character a byte: names need not be UTF-8.
  for (const line of stdout.toString('latin1').split('\n')) {
    if (line.startsWith('# file: ')) {
      attributes = {};
      const path = unquote(line.slice('# file: '.length));
      found.set(path === '.' ? '/' : `/${path}`, attributes);
    } else if (line !== '') {
      const equals = line.indexOf('=');
      attributes[unquote(line.slice(0, equals))] = line.slice(equals + 1);
    }
  }
  return found;
}

/** getfattr writes newlines, backslashes and the like in octal. */
function unquote(text: string): string {
  const bytes = text.replaceAll(/\\(\d{3})/gu, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return printable(Buffer.from(bytes, 'latin1'));
}
