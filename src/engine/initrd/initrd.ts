import type { AddonMember } from '../../core/boot/archive';
import { beforeMountMembers, type InitrdRecord, type KernelModules, moduleMembers } from '../../core/boot/initrd';
import { type Chosen, chooseModules } from '../../core/boot/modules';
import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import type { ImageKind } from '../../core/records/overlay';
import type { InitrdRules } from '../../core/policy/initrd-rules';
import { isInStore, resolveInRoot } from '../../system/tree/following';
import { digestBytes } from '../../system/host/host-files';
import type { Root } from '../../system/tree/rooted';
import type { Machine } from '../state/machine';
import {
  hasDependencies,
  type Located,
  mergeTrees,
  type ModuleDirectory,
  moduleDirectories,
  readModule,
  readModuleTree,
} from './trees';

/** Where the kernels are that a closure's initrd gets modules of. */
export interface KernelPlaces {
  readonly machine: Machine;
  /** The closure's own tree. */
  readonly top: Root;
  /** Where the closure is in a store, as the running system sees it. */
  readonly storePath: TargetPath | undefined;
  /** Whether the machine's own modules may be taken. */
  readonly names: 'machine' | 'closure alone';
}

/** What an initrd gets for a closure. */
export interface Initrd {
  /** What its policy asks for; `undefined` where that is nothing. */
  readonly record: InitrdRecord | undefined;
  /** What the add-on has besides what every add-on has. */
  readonly members: readonly AddonMember[];
  /** Kernels that lack a module, so that nothing was taken of them. */
  readonly lacking: readonly Lacking[];
}

export const noInitrd: Initrd = { record: undefined, members: [], lacking: [] };

interface Lacking {
  readonly version: string;
  readonly missing: readonly string[];
}

/** Where a closure has its kernel's modules: nixos, guix, then trees. */
const KERNELS = [
  'kernel-modules/lib/modules',
  'kernel/lib/modules',
  'usr/lib/modules',
  'lib/modules',
  'profile/lib/modules',
];
const IN_DIRECTORY = ['lib/modules', 'usr/lib/modules'];

/** What a closure needs of an initrd. */
export interface Needs {
  readonly rules: InitrdRules | undefined;
  /** What it is shown from, where that is an image: the modules for it come along where the closure has them. */
  readonly image: ImageKind | undefined;
}

/**
 * Finds the modules that a closure needs in an initrd: those of its own kernels; where it has none, those of the machine's.
 *
 * @throws {ActivateError} `CLOSURE` where there is no kernel that has all that the policy asks for
 */
export function readInitrd({ rules, image }: Needs, places: KernelPlaces): Initrd {
  const modules = rules?.modules ?? [];
  const useful = image === undefined ? [] : ['loop', image];
  if (modules.length + useful.length === 0) return initrdOf(rules, [], []);
  const named = rules?.moduleDirectories.flatMap((text) => namedDirectories(text, rules, places)) ?? [];
  const own = closureKernels(places);
  const all = [...named, ...(own.length > 0 || modules.length === 0 ? own : machineKernels(places))];
  const kernels: Found[] = [];
  const lacking: Lacking[] = [];
  for (const version of versionsOf(all.length > named.length ? all.slice(named.length) : all)) {
    const tree = mergeTrees(all.filter((each) => each.version === version).map(readModuleTree));
    const asked = chooseModules(modules, tree);
    if (asked.missing.length > 0) lacking.push({ version, missing: asked.missing });
    // Those of the machine are found below its root.
    else
      kernels.push({
        version,
        asked,
        chosen: withBytes(chooseModules([...modules, ...(own.length > 0 ? useful : [])], tree)),
      });
  }
  if (rules !== undefined && modules.length > 0 && kernels.length === 0) throw missing(rules, places, { lacking, all });
  return initrdOf(rules, kernels, lacking);
}

function initrdOf(rules: InitrdRules | undefined, found: readonly Found[], lacking: readonly Lacking[]): Initrd {
  const kernels = found.map(({ version, asked, chosen }) => ({ version, chosen: { ...chosen, loads: asked.loads } }));
  const { modules = [], beforeMount = [] } = rules ?? {};
  return {
    record: rules && recordOf(rules, found),
    members: [...moduleMembers(kernels), ...beforeMountMembers({ modules, beforeMount, kernels })],
    lacking,
  };
}

interface Found extends KernelModules {
  /** Without what is only useful. */
  readonly asked: Chosen;
}

function versionsOf(directories: readonly ModuleDirectory[]): string[] {
  return [...new Set(directories.map(({ version }) => version))].toSorted();
}

function withBytes(chosen: Chosen<Located>): KernelModules['chosen'] {
  const modules = chosen.modules.map((module) => {
    const { name, path, needs } = module;
    return { name, path, needs, bytes: readModule(module) };
  });
  return { ...chosen, modules };
}

function recordOf({ modules, beforeMount }: InitrdRules, kernels: readonly Found[]): InitrdRecord {
  const files = kernels.map(({ version, asked, chosen }) => {
    const names = new Set(asked.modules.map(({ name }) => name));
    const taken = chosen.modules.filter(({ name }) => names.has(name));
    return [version, taken.map(({ path, bytes }) => [path, digestBytes(bytes)])];
  });
  const digest = digestBytes(new TextEncoder().encode(JSON.stringify([modules, beforeMount, files])));
  return { modules, beforeMount, digest };
}

function machineKernels({ machine: { root }, names }: KernelPlaces): ModuleDirectory[] {
  if (names === 'closure alone') return [];
  return moduleDirectories(root, resolveInRoot(root, '/lib/modules')).filter(hasDependencies);
}

function closureKernels(places: KernelPlaces): ModuleDirectory[] {
  for (const place of KERNELS) {
    const { root, path } = inClosure(place, places);
    const found = moduleDirectories(root, path).filter(hasDependencies);
    if (found.length > 0) return found;
  }
  return [];
}

/** In a store a path of the closure may lead to other store paths. */
function inClosure(
  path: string,
  { machine, top, storePath }: KernelPlaces,
): { readonly root: Root; readonly path: TargetPath | undefined } {
  const root = storePath === undefined ? top : machine.root;
  return { root, path: resolveInRoot(root, joinTarget(storePath ?? ('/' as TargetPath), path)) };
}

/** What has lib/modules/VERSION in it. */
function namedDirectories(text: string, { origin }: InitrdRules, places: KernelPlaces): ModuleDirectory[] {
  const { root } = places.machine;
  const found = text.startsWith('/') ? { root, path: resolveInRoot(root, text) } : inClosure(text, places);
  const { path } = found;
  if (path === undefined)
    throw new ActivateError(
      'CLOSURE',
      `this directory of modules is not there, in ${text.startsWith('/') ? 'the machine' : 'the closure'}`,
      {
        path: text,
        hint: `Mend it in ${origin}: an absolute path is one of the machine's, "lib/extra-modules" one of the closure's.`,
      },
    );
  if (places.names === 'closure alone' && found.root !== places.top && !isInStore(path))
    throw new ActivateError('CLOSURE', 'this directory of modules is not in the closure', {
      path: text,
      hint: `A bundle is the same wherever it is made: name a directory of the closure in ${origin}.`,
    });
  const directories = IN_DIRECTORY.flatMap((below) =>
    moduleDirectories(found.root, resolveInRoot(found.root, joinTarget(path, below))),
  );
  if (directories.length > 0) return directories;
  throw new ActivateError('CLOSURE', 'there are no modules in this directory', {
    path: text,
    hint: `Name one with lib/modules/VERSION in it, in ${origin}.`,
  });
}

interface Looked {
  readonly lacking: readonly Lacking[];
  readonly all: readonly ModuleDirectory[];
}

function missing({ modules, origin }: InitrdRules, { names }: KernelPlaces, { lacking, all }: Looked): ActivateError {
  const newest = lacking.at(-1);
  if (newest === undefined) {
    const whose = names === 'machine' ? 'neither the closure nor the machine has' : 'the closure does not have';
    return new ActivateError('CLOSURE', `${whose} a kernel to take the module ${modules[0]} from`, {
      path: origin,
      hint:
        names === 'machine'
          ? 'Install a kernel and run depmod, or name a directory with lib/modules/VERSION in it in module-directories.'
          : 'A bundle is the same wherever it is made: add usr/lib/modules/VERSION with its modules.dep to the closure.',
    });
  }
  const looked = all.map(({ root, path }) => hostPath(root.path, path)).join(', ');
  const what = `there is no module ${newest.missing.join(', ')} for the kernel ${newest.version}`;
  return new ActivateError('CLOSURE', `${what}; looked in ${looked}`, {
    path: origin,
    hint: 'Name a directory that has it in module-directories (lib/modules/VERSION in it), or leave it out.',
  });
}
