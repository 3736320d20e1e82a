import type { Entry } from '../../core/entry';
import { ActivateError } from '../../core/errors';
import { joinTarget, type TargetPath, targetPathOf } from '../../core/path';
import { type Generation, storePathOf } from '../../core/records/generation';
import { type Claim, findClaims, parseConfigNames } from '../../core/status/claims';
import { type BootParts, bootParts, rebootReasons } from '../../core/status/reboot';
import { resolveInRoot } from '../../system/tree/following';
import { matchesPattern, readHostFile } from '../../system/host/host-files';
import { runProgram } from '../../system/programs';
import { readFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';
import { decode } from '../state/records';
import type { Machine } from '../state/machine';

// What status says of the machine around the generations.

/** Lines of the machine's own tmpfiles.d that will fight for managed paths; none where systemd-tmpfiles cannot tell. */
export async function readClaims({ root }: Machine, entries: readonly Entry[]): Promise<Claim[]> {
  const paths = new Set(entries.filter(({ place }) => place !== 'directory').map(({ path }) => path));
  if (paths.size === 0) return [];
  const args = [...(root.path === '/' ? [] : [`--root=${root.path}`]), '--cat-config'];
  const names = parseConfigNames(await catalogue(args));
  const files = [...new Set(names)].flatMap((name) => {
    const text = readHostFile(name);
    return text === undefined ? [] : [{ file: targetPathOf(root.path, name) ?? name, text }];
  });
  return findClaims(files, paths, matchesPattern);
}

async function catalogue(args: readonly string[]): Promise<string> {
  try {
    const { status, stdout } = await runProgram('systemd-tmpfiles', args);
    return status === 0 ? stdout : '';
  } catch (error) {
    // Without systemd-tmpfiles nobody carries such lines out.
    if (error instanceof ActivateError) return '';
    throw error;
  }
}

/** What NixOS and Guix show of the system that was booted. */
const BOOTED_SYSTEM = '/run/booted-system' as TargetPath;

/** Why a reboot is needed for the next system to be what it is; `undefined` where what was booted is not known. */
export function readRebootReasons(
  { root }: Machine,
  next: Generation | undefined,
  booted: Generation | undefined,
): string[] | undefined {
  const shown = resolveInRoot(root, BOOTED_SYSTEM);
  const before = shown ?? (booted === undefined ? undefined : storePathOf(booted));
  const after = next === undefined ? undefined : storePathOf(next);
  if (before === undefined || after === undefined) return undefined;
  const [one, other] = [readParts(root, before), readParts(root, after)];
  return Object.keys(one).length === 0 || Object.keys(other).length === 0 ? undefined : rebootReasons(one, other);
}

function readParts(root: Root, system: TargetPath): BootParts {
  const parts: Record<string, string> = {};
  for (const { name } of bootParts) {
    const path = resolveInRoot(root, joinTarget(system, name));
    if (path === undefined) continue;
    const isText = name.startsWith('param') || name === 'kernel-params';
    parts[name] = isText && readStatus(root, path)?.kind === 'file' ? decode(readFile(root, path)) : path;
  }
  return parts;
}
