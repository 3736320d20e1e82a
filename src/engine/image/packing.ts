import { ActivateError } from '../../core/errors';
import { ARCHIVE_END, archivePadding, type Member, renderMember } from '../../core/image/archive';
import { type Attribute, isAcl, isKeptAttribute, modeWithoutAcl } from '../../core/image/attributes';
import type { ImageNode } from '../../core/image/node';
import { hostPathOf } from '../../core/image/staging';
import type { TargetPath } from '../../core/path';
import type { ImageKind } from '../../core/records/overlay';
import {
  closeHost,
  openHost,
  type Opened,
  readHostAttributes,
  readHostInto,
  readHostStatus,
} from '../../system/host/host-contents';
import { newHasher } from '../../system/host/host-files';
import type { Status } from '../../system/syscalls/status';

/** What was found out about an image's content while it was packed. */
export interface Packed {
  /** SHA-256 and size of each file. */
  readonly contents: Map<TargetPath, { readonly digest: string; readonly sizeBytes: number }>;
  /** Modes that are not those of the nodes, because an ACL went. */
  readonly modes: Map<TargetPath, number>;
  /** What had ACLs that the image's filesystem cannot hold. */
  readonly withoutAcl: TargetPath[];
  /** Whether something has another owner, mode, attribute or number of names on disk than in the image. */
  isUnlike: boolean;
}

export interface Packing {
  readonly nodes: readonly ImageNode[];
  readonly kind: ImageKind;
  readonly packed: Packed;
  /** The directory that has everything at the same paths. */
  readonly directory: string | undefined;
  /** The closure as the user named it. */
  readonly closure: string;
  /** Called now and then with how many nodes are packed. */
  readonly advance: (done: number) => void;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * All nodes as one tar archive, in chunks. Each file is read once: its digest is that of the very bytes that are packed.
 *
 * @throws {ActivateError} `IO` where a file is another than it was when the closure was read, `PERMISSION`
 */
export function* packNodes(packing: Packing): Generator<Uint8Array> {
  let chunk = Buffer.alloc(CHUNK_BYTES);
  let filled = 0;
  let done = 0;
  for (const node of packing.nodes) {
    for (const piece of piecesOf(packing, node, framed)) {
      if (piece.length > chunk.length - filled) {
        yield chunk.subarray(0, filled);
        packing.advance(done);
        // Whoever takes a chunk may hold it for longer.
        chunk = Buffer.alloc(CHUNK_BYTES);
        filled = 0;
      }
      filled += piece.copy(chunk, filled);
    }
    done += 1;
  }
  yield Buffer.concat([chunk.subarray(0, filled), ARCHIVE_END]);
}

/**
 * Reads all nodes as {@link packNodes} does, for what is found out on the way, and packs nothing. Yields now and then.
 *
 * @throws {ActivateError} as {@link packNodes}
 */
export function* readNodes(packing: Packing): Generator<void> {
  for (const [index, node] of packing.nodes.entries()) {
    for (const _ of piecesOf(packing, node, unframed));
    if (index % NODES_AT_ONCE !== 0) continue;
    packing.advance(index);
    yield;
  }
}

const NODES_AT_ONCE = 64;

/** What stands before the content of a node. */
type Frame = (member: Member) => Iterable<Buffer>;
const framed: Frame = (member) => split(renderMember(member));
const unframed: Frame = () => [];

/** No piece is larger than half a chunk. */
function* piecesOf(packing: Packing, node: ImageNode, frame: Frame): Generator<Buffer> {
  if (node.kind === 'symlink') {
    noteUnlike(packing, node, packing.directory === undefined ? undefined : readHostStatus(node.hostPath));
    return yield* frame({ ...node, attributes: [] });
  }
  const from = hostPathOf(node);
  const opened = from === undefined ? undefined : openHost(from);
  try {
    const { wanted, others } = opened === undefined ? NO_ATTRIBUTES : readHostAttributes(opened, isKeptAttribute);
    if (others === 'some') packing.packed.isUnlike = true;
    noteUnlike(packing, node, opened?.status);
    const member = memberOf(packing, node, wanted);
    if (member.kind !== 'file') return yield* frame(member);
    const sizeBytes = sizeOf(packing, node, opened);
    yield* frame({ ...member, sizeBytes });
    const hasher = newHasher();
    for (const piece of contentOf(packing, node, opened)) {
      hasher.update(piece);
      yield piece;
    }
    packing.packed.contents.set(node.path, { digest: hasher.digest('hex'), sizeBytes });
    yield archivePadding(sizeBytes);
  } finally {
    if (opened !== undefined) closeHost(opened);
  }
}

const NO_ATTRIBUTES = { wanted: [], others: 'none' } as const;

function noteUnlike({ packed }: Packing, node: ImageNode, status: Status | undefined): void {
  if (status === undefined || packed.isUnlike) return;
  const { mode, uid, gid } = node.kind === 'symlink' ? { mode: status.mode, uid: 0, gid: 0 } : node;
  const isLike = status.mode === mode && status.uid === uid && status.gid === gid;
  // Another name of the same file would be one more name in the image.
  packed.isUnlike = !isLike || (status.kind !== 'directory' && status.links > 1);
}

function memberOf({ kind, packed }: Packing, node: ImageNode, attributes: readonly Attribute[]): Member {
  const hasAcl = kind === 'squashfs' && attributes.some(isAcl);
  if (!hasAcl || node.kind === 'symlink') return { ...node, attributes };
  const mode = modeWithoutAcl(node.mode, attributes);
  packed.withoutAcl.push(node.path);
  if (mode !== node.mode) packed.modes.set(node.path, mode);
  return { ...node, mode, attributes: attributes.filter((each) => !isAcl(each)) };
}

type FileNode = ImageNode & { readonly kind: 'file' };

function sizeOf({ closure }: Packing, node: ImageNode, opened: Opened | undefined): number {
  if (node.kind !== 'file') return 0;
  if ('bytes' in node.content) return node.content.bytes.length;
  const status = opened?.status;
  // Additions are not listed beforehand.
  const isListed = node.sizeBytes > 0;
  if (status?.kind === 'file' && (!isListed || status.sizeBytes === node.sizeBytes)) return status.sizeBytes;
  throw changed(closure, node);
}

function* contentOf(packing: Packing, node: ImageNode, opened: Opened | undefined): Generator<Buffer> {
  if (node.kind !== 'file') return;
  if (opened === undefined) return yield* split('bytes' in node.content ? node.content.bytes : new Uint8Array());
  for (let left = opened.status.sizeBytes; ;) {
    // One byte more than there should be: nothing may have been added.
    const wanted = Math.min(left + 1, room.length);
    const length = readHostInto(opened, room.subarray(0, wanted));
    if (length > left || (length < wanted && length !== left)) throw changed(packing.closure, node);
    yield room.subarray(0, length);
    left -= length;
    if (length < wanted) return;
  }
}

/** Whoever gets a piece is done with it before asking for the next. */
const room = Buffer.alloc(CHUNK_BYTES / 2);

function* split(bytes: Uint8Array): Generator<Buffer> {
  if (Buffer.isBuffer(bytes) && bytes.length <= CHUNK_BYTES / 2) return yield bytes;
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES / 2)
    yield Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(CHUNK_BYTES / 2, bytes.length - at));
}

function changed(closure: string, node: FileNode): ActivateError {
  return new ActivateError('IO', 'the closure changed while it was being read', {
    path: 'hostPath' in node.content ? node.content.hostPath : closure + node.path,
    hint: 'Wait until it is complete, and generate again.',
  });
}
