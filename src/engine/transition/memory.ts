import { imageNodes } from '../../core/image/node';
import { ActivateError } from '../../core/errors';
import { hostPath, type TargetPath } from '../../core/path';
import { carrierPath, type Generation } from '../../core/records/generation';
import { isImage } from '../../core/records/overlay';
import { copyTree } from '../../system/host/host-files';
import { measureTree, pagesOf } from '../../system/host/measuring';
import { makeReadOnly, mountMemory } from '../../system/mounts/mounting';
import { openPrivateMount } from '../../system/mounts/private-mount';
import { runProgram } from '../../system/programs';
import { listDirectory } from '../../system/tree/reading';
import { closeRoot, openRoot } from '../../system/tree/rooted';
import { readStoreClosure } from '../closure/closure';
import { readRecorded } from '../state/generations';
import { dereferenceStore } from '../image/dereferencing';
import { packNodes } from '../image/packing';
import { heldDescriptors, type Machine } from '../state/machine';

/**
 * Mounts a copy of what a generation shows, in memory, where its pointer will lead: it stays when the disk that it came from
 * goes away. What is in a store comes along; nobody can write it.
 *
 * @throws {ActivateError} `IO`
 */
export async function copyToMemory(machine: Machine, generation: Generation): Promise<void> {
  const { carrier, overlay } = generation;
  const from = hostPath(machine.root.path, carrierPath(generation));
  if (carrier.kind === 'store') await copyStore(machine, generation);
  else if (isImage(carrier)) await copyImage(machine, { file: from, kind: carrier.kind, overlay });
  else await copyContent(machine, from, overlay);
  makeReadOnly(hostPath(machine.root.path, overlay));
}

interface ImageAt {
  readonly file: string;
  readonly kind: Parameters<typeof openPrivateMount>[1];
  readonly overlay: TargetPath;
}

async function copyImage(machine: Machine, { file, kind, overlay }: ImageAt): Promise<void> {
  const mount = await openPrivateMount(file, kind);
  try {
    await copyContent(machine, mount.path, overlay);
  } finally {
    await mount.close();
  }
}

async function copyContent(machine: Machine, from: string, overlay: TargetPath): Promise<void> {
  const at = hostPath(machine.root.path, overlay);
  const held = heldDescriptors(machine);
  const content = openRoot(from);
  try {
    await mountMemory(at, measureTree(content), held);
    for (const { name } of listDirectory(content, '/' as TargetPath))
      await copyTree(`${from}/${name}` as never, `${at}/${name}` as never, held);
  } finally {
    closeRoot(content);
  }
}

/** Links into the store become what they lead to. */
async function copyStore(machine: Machine, generation: Generation): Promise<void> {
  const { overlay, closure: name, number } = generation;
  const { manifest } = readRecorded(machine, number);
  const closure = readStoreClosure(hostPath(machine.root.path, carrierPath(generation)), name, manifest);
  const { items, entries, sourceOf } = dereferenceStore(machine, closure);
  const nodes = imageNodes({ items, entries, sourceOf, additions: [] });
  const at = hostPath(machine.root.path, overlay);
  const held = heldDescriptors(machine);
  await mountMemory(at, pagesOf(nodes.map((node) => (node.kind === 'file' ? node.sizeBytes : 0))), held);
  const packed = { contents: new Map(), modes: new Map(), withoutAcl: [], isUnlike: false };
  const archive = packNodes({
    nodes,
    kind: 'erofs',
    packed,
    closure: name,
    directory: undefined,
    advance: () => undefined,
  });
  const args = [...EXTRACT.split(' '), `--directory=${at}`];
  const { status, stderr } = await runProgram('tar', args, { input: archive, inherit: held });
  if (status !== 0) throw new ActivateError('IO', `cannot copy it to memory: ${stderr.trim()}`, { path: overlay });
}

const EXTRACT =
  '--extract --file=- --numeric-owner --same-owner --same-permissions --delay-directory-restore --xattrs --xattrs-include=* --no-selinux --touch';
