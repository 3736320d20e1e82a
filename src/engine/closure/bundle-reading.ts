import * as v from 'valibot';
import { isOfClosure } from '../../core/boot/initrd';
import type { SysusersLine } from '../../core/accounts/sysusers';
import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import { overlayPathOf } from '../../core/wrapper';
import type { BundleRecord } from '../../core/records/bundle';
import { type Manifest, parseManifest } from '../../core/records/manifest';
import { parseRecord } from '../../core/records/generation';
import { digestFile, readStatus } from '../../system/tree/reading';
import { closeRoot, openRoot, type Root } from '../../system/tree/rooted';
import { readSysusersIn, SYSUSERS_RECORD } from '../accounts/records';
import { digestManifest } from '../state/generations';
import type { Machine } from '../state/machine';
import { decode, readRecordBytes, readSealed } from '../state/records';
import { ADDON, readAddon } from '../initrd/addon';
import type { Initrd } from '../initrd/initrd';
import { wrapperAddition } from '../wrappers/sources';
import type { Addition, Closure } from './closure';
import { fillContents } from './contents';
import { inClosure, readItems } from './items';
import type { Source } from './source';

const TOP = '/' as TargetPath;

/**
 * Reads a bundle: what each path is was decided when it was made.
 *
 * @throws {ActivateError} `CLOSURE` where anything is not as it was written
 */
export function readBundle(
  machine: Machine,
  name: string,
  source: Source & { readonly record: BundleRecord },
): Closure {
  const { record, contentPath, image } = source;
  const top = openRoot(source.path);
  try {
    const manifest = readManifest(top, name, record);
    const sourceOf = (path: TargetPath): string => `${contentPath}${path}`;
    const closure = {
      name,
      hostPath: contentPath,
      carrier: record.overlay,
      imageFile: image?.file,
      additions: [],
      listing: { closure: name, items: [] },
      sourceOf,
      manifest,
      sysusers: readLines(top, name, record),
      unfixed: [],
      accounts: undefined,
      initrd: readBundleInitrd(top, name, record),
      rules: record.rules,
      unread: [],
    };
    if (record.overlay.kind === 'store') refuseMissing(machine, name, record.overlay.path);
    return record.overlay.kind === 'tree' ? readTree(machine, name, closure) : closure;
  } finally {
    closeRoot(top);
  }
}

function readManifest(top: Root, name: string, { digest, overlay, sysusers, initrd }: BundleRecord): Manifest {
  const file = joinTarget(TOP, 'manifest.json');
  const bytes = readRecordBytes({ root: top }, file);
  if (bytes === undefined) throw damaged(`${name}${file}`, 'the bundle has no manifest');
  try {
    const withheld = readWithheld(top);
    const manifest = parseManifest(decode(bytes), withheld ?? {}, `${name}${file}`);
    const carried = { carrier: overlay, resident: false, sysusers, initrd };
    if (withheld === undefined || digestManifest([bytes], withheld, carried) === digest) return manifest;
  } catch (error) {
    if (!(error instanceof ActivateError) || error.code !== 'STATE') throw error;
    throw damaged(error.path ?? name, error.message, error);
  }
  throw damaged(`${name}${file}`, 'the manifest is damaged: it is not what was written');
}

function readLines(top: Root, name: string, { sysusers }: BundleRecord): readonly SysusersLine[] {
  const lines = readSysusersIn(top, TOP, sysusers);
  if (lines !== undefined) return lines;
  throw damaged(`${name}/${SYSUSERS_RECORD}`, 'the bundle is damaged: this is not what was written');
}

function readBundleInitrd(top: Root, name: string, { initrd, addon }: BundleRecord): Initrd {
  const members = addon === undefined ? [] : readAddon(top, TOP, addon);
  if (members !== undefined)
    return { record: initrd, members: members.filter(({ path }) => isOfClosure(path)), lacking: [] };
  throw damaged(`${name}/${ADDON}`, 'the bundle is damaged: this is not what was written');
}

/** Who is not root may not see them. */
function readWithheld(top: Root): Record<string, string> | undefined {
  const shape = v.strictObject({ schema: v.literal(1), digests: v.record(v.string(), v.string()) });
  try {
    const file = joinTarget(TOP, 'withheld.json');
    return readSealed({ root: top }, file, (text, shown) => parseRecord(text, shown, shape).digests) ?? {};
  } catch (error) {
    if (error instanceof ActivateError && error.code === 'PERMISSION') return undefined;
    throw error;
  }
}

/** A tree can be changed by anybody who may write it: it has to be what was written. */
function readTree(machine: Machine, name: string, closure: Closure): Closure {
  const { manifest, hostPath: content, sourceOf: hostPathOf } = closure;
  const tree = openRoot(content);
  try {
    const listing = {
      closure: name,
      items: manifest.roots.flatMap((root) => inClosure(name, () => readItems(tree, root, name, false))),
    };
    const read = fillContents({ machine, listing, hostPathOf, known: [] }, manifest.entries);
    const other = manifest.entries.find((entry, index) => {
      const found = read.entries[index];
      if (!('digest' in entry) || entry.digest === '' || found === undefined || !('digest' in found)) return false;
      return found.digest !== '' && found.digest !== entry.digest;
    });
    if (other !== undefined)
      throw damaged(`${name}/overlay${other.path}`, 'the bundle is damaged: this is not what was written');
    const additions = readAdditions(tree, name, manifest);
    return { ...closure, additions, listing, unread: read.unread };
  } finally {
    closeRoot(tree);
  }
}

/** What the wrappers of a bundle are made from lies beside its roots. */
function readAdditions(tree: Root, name: string, { wrappers = [] }: Manifest): Addition[] {
  return wrappers.flatMap((wrapper) => {
    const path = overlayPathOf(wrapper);
    if (path === undefined) return [];
    const isWhole = readStatus(tree, path)?.kind === 'file' && digestFile(tree, path) === wrapper.digest;
    if (!isWhole) throw damaged(`${name}/overlay${path}`, 'the bundle is damaged: this is not what was written');
    return [wrapperAddition(wrapper.name, hostPath(tree.path, path))];
  });
}

function refuseMissing({ root }: Machine, name: string, path: TargetPath): void {
  if (readStatus(root, path) !== undefined) return;
  throw new ActivateError('CLOSURE', `the store path of the bundle is not on this machine: ${path}`, {
    path: name,
    hint: 'Copy it there first, e.g. with `nix copy`.',
  });
}

function damaged(path: string, message: string, cause?: unknown): ActivateError {
  return new ActivateError('CLOSURE', message, {
    path,
    hint: 'Copy it again, or build it again with `activate generate`.',
    cause,
  });
}
