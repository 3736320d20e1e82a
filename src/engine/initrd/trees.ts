import {
  moduleNameOf,
  type Module,
  type ModuleTree,
  parseAliases,
  parseBuiltin,
  parseDependencies,
  parseUseful,
  type Useful,
} from '../../core/boot/modules';
import { ActivateError } from '../../core/errors';
import { hostPath, joinTarget, type TargetPath } from '../../core/path';
import { isInStore, resolveInRoot } from '../../system/tree/following';
import { runProgramAtOnce } from '../../system/programs';
import { listDirectory, readFile, readStatus } from '../../system/tree/reading';
import type { Root } from '../../system/tree/rooted';

/** A directory lib/modules/VERSION; links in it are followed in the tree at the root. */
export interface ModuleDirectory {
  readonly root: Root;
  readonly path: TargetPath;
  readonly version: string;
}

/** A module, and the directory that has it. */
export interface Located extends Module {
  readonly directory: ModuleDirectory;
}

/** The directories of kernels below lib/modules, by version. */
export function moduleDirectories(root: Root, modules: TargetPath | undefined): ModuleDirectory[] {
  if (modules === undefined || readStatus(root, modules)?.kind !== 'directory') return [];
  return listDirectory(root, modules)
    .map(({ name }) => ({ version: name, path: resolveInRoot(root, joinTarget(modules, name)) }))
    .flatMap(({ version, path }) =>
      path !== undefined && readStatus(root, path)?.kind === 'directory' ? [{ root, path, version }] : [],
    )
    .toSorted((a, b) => (a.version < b.version ? -1 : 1));
}

/** Whether depmod has been run in a directory. */
export function hasDependencies(directory: ModuleDirectory): boolean {
  return fileIn(directory, 'modules.dep') !== undefined;
}

/** What is known of the modules in a directory; where depmod has not been run, its files are asked. */
export function readModuleTree(directory: ModuleDirectory): ModuleTree<Located> {
  const dependencies = fileIn(directory, 'modules.dep');
  const asked = dependencies === undefined ? askFiles(directory) : undefined;
  const modules = asked?.modules ?? parseDependencies(textIn(directory, 'modules.dep'));
  let aliases: Map<string, string[]> | undefined;
  return {
    modules: new Map(modules.map((module) => [module.name, { ...module, directory }])),
    builtin: parseBuiltin(textIn(directory, 'modules.builtin')),
    useful: asked?.useful ?? parseUseful(textIn(directory, 'modules.softdep')),
    modulesOf: (alias) => {
      aliases ??= parseAliases(textIn(directory, 'modules.alias'));
      return aliases.get(alias) ?? [];
    },
  };
}

/** Several directories for one kernel as one: what the first has hides what the others have. */
export function mergeTrees(trees: readonly ModuleTree<Located>[]): ModuleTree<Located> {
  return {
    modules: mergeMaps(trees.map(({ modules }) => modules)),
    builtin: new Set(trees.flatMap(({ builtin }) => [...builtin])),
    useful: mergeMaps(trees.map(({ useful }) => useful)),
    modulesOf: (alias) => trees.flatMap(({ modulesOf }) => modulesOf(alias)),
  };
}

function mergeMaps<Value>(maps: readonly ReadonlyMap<string, Value>[]): Map<string, Value> {
  const merged = new Map<string, Value>();
  for (const map of maps) for (const [name, value] of map) if (!merged.has(name)) merged.set(name, value);
  return merged;
}

/**
 * The file of a module, as it is: compressed, where it is.
 *
 * @throws {ActivateError} `CLOSURE` where modules.dep names a file that is not there
 */
export function readModule({ path, directory }: Located): Uint8Array {
  const found = fileIn(directory, path);
  if (found !== undefined) return readFile(directory.root, found);
  throw new ActivateError('CLOSURE', 'modules.dep names a module that is not there', {
    path: hostPath(directory.root.path, joinTarget(directory.path, path)),
    hint: 'Install the kernel again, or run depmod for it.',
  });
}

function textIn(directory: ModuleDirectory, name: string): string {
  const found = fileIn(directory, name);
  return found === undefined ? '' : new TextDecoder().decode(readFile(directory.root, found));
}

/** A link in a store leads to a file in it, or it leads nowhere: what is taken along is for everybody to read. */
function fileIn({ root, path }: ModuleDirectory, name: string): TargetPath | undefined {
  const found = resolveInRoot(root, joinTarget(path, name));
  if (found === undefined || (isInStore(path) && !isInStore(found))) return undefined;
  return readStatus(root, found)?.kind === 'file' ? found : undefined;
}

/** What a package of modules has before anybody ran depmod. */
function askFiles(directory: ModuleDirectory): Pick<ModuleTree, 'useful'> & { readonly modules: Module[] } {
  const modules: Module[] = [];
  const useful = new Map<string, Useful>();
  for (const path of modulePaths(directory, '')) {
    const name = moduleNameOf(path);
    if (name === undefined) continue;
    const { needs, ...soft } = askFile(directory, path);
    modules.push({ name, path, needs });
    useful.set(name, soft);
  }
  return { modules, useful };
}

/** The files of modules, which may be links; a directory that is a link is passed over. */
function modulePaths({ root, path }: ModuleDirectory, below: string): string[] {
  return listDirectory(root, joinTarget(path, below))
    .map(({ name }) => (below === '' ? name : `${below}/${name}`))
    .flatMap((each) => {
      if (readStatus(root, joinTarget(path, each))?.kind === 'directory')
        return modulePaths({ root, path, version: '' }, each);
      return moduleNameOf(each) === undefined ? [] : [each];
    })
    .toSorted();
}

/** @see modinfo(8) */
function askFile({ root, path }: ModuleDirectory, module: string): Useful & { readonly needs: readonly string[] } {
  const file = hostPath(root.path, resolveInRoot(root, joinTarget(path, module)) ?? joinTarget(path, module));
  const { status, stdout, stderr } = runProgramAtOnce('modinfo', [file]);
  if (status !== 0)
    throw new ActivateError('CLOSURE', `this is no module of a kernel: ${stderr.trim().split('\n').at(-1) ?? ''}`, {
      path: file,
      hint: 'Mend it, or name another directory in module-directories.',
    });
  const fields = stdout.split('\n').map((line) => /^(\w+):\s*(.*)$/u.exec(line) ?? []);
  const needs = fields.flatMap(([, field, value = '']) =>
    field === 'depends' ? value.split(',').filter((name) => name !== '') : [],
  );
  const lines = fields.flatMap(([, field, value = '']) => (field === 'softdep' ? [`softdep it ${value}`] : []));
  const { before, after } = parseUseful(lines.join('\n')).get('it') ?? { before: [], after: [] };
  return { needs: needs.map((name) => name.replaceAll('-', '_')), before, after };
}
