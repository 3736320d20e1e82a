import { nameOf, parseTargetPath } from '../path';

/** A module of the kernel. */
export interface Module {
  /** As lsmod writes it. */
  readonly name: string;
  /** Where it is, below lib/modules/VERSION. */
  readonly path: string;
  /** The names of modules that have to be there before it; theirs may be among them. */
  readonly needs: readonly string[];
}

/** What is known of the modules of one kernel. */
export interface ModuleTree<Found extends Module = Module> {
  readonly modules: ReadonlyMap<string, Found>;
  /** What the kernel has without a module. */
  readonly builtin: ReadonlySet<string>;
  /** What is useful before and after a module, where it is there: names of modules, or their aliases. */
  readonly useful: ReadonlyMap<string, Useful>;
  /** The modules that have an alias. */
  readonly modulesOf: (alias: string) => readonly string[];
}

export interface Useful {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What becomes of the modules that somebody asked for. */
export interface Chosen<Found extends Module = Module> {
  /** All that is needed, sorted by name. */
  readonly modules: readonly Found[];
  /** What is useful besides, for each module that anything is useful for: names of modules that are there. */
  readonly useful: ReadonlyMap<string, Useful>;
  /** What was asked for and is a module, in that order. */
  readonly loads: readonly string[];
  /** Names that are none of this kernel's. */
  readonly missing: readonly string[];
}

/** The name of a module by its file; `undefined` for a file that is none. */
export function moduleNameOf(path: string): string | undefined {
  return /^([^/]+)\.ko(?:\.gz|\.xz|\.zst)?$/u.exec(nameOf(path))?.[1]?.replaceAll('-', '_');
}

/** Reads modules.dep; lines that make no sense are passed over. */
export function parseDependencies(text: string): Module[] {
  return linesOf(text).flatMap((line) => {
    const [path = '', ...needed] = line.split(/[: ]+/u).filter((word) => word !== '');
    const name = moduleNameOf(path);
    // What is elsewhere than below the directory cannot be taken along.
    if (name === undefined || parseTargetPath(`/${path}`) !== `/${path}`) return [];
    return [{ name, path, needs: needed.flatMap((each) => moduleNameOf(each) ?? []) }];
  });
}

/** Reads modules.builtin. */
export function parseBuiltin(text: string): Set<string> {
  return new Set(linesOf(text).flatMap((line) => moduleNameOf(line) ?? []));
}

/** Reads modules.softdep; see modprobe.d(5). */
export function parseUseful(text: string): Map<string, Useful> {
  const all = new Map<string, Useful>();
  for (const line of linesOf(text)) {
    const [word, name = '', ...rest] = line.split(/\s+/u);
    if (word !== 'softdep') continue;
    const { before, after } = all.get(normalise(name)) ?? { before: [], after: [] };
    const post = rest.includes('post:') ? rest.indexOf('post:') : rest.length;
    const pre = rest.indexOf('pre:');
    all.set(normalise(name), {
      before: pre === -1 ? before : [...before, ...rest.slice(pre + 1, pre < post ? post : undefined)],
      after: [...after, ...rest.slice(post + 1, pre > post ? pre : undefined)],
    });
  }
  return all;
}

/** Reads modules.alias as far as names without wildcards go. */
export function parseAliases(text: string): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const [, alias = '', module = ''] of text.matchAll(/^alias ([^\s*?[]+) (\S+)$/gmu)) {
    const known = all.get(normalise(alias));
    if (known === undefined) all.set(normalise(alias), [normalise(module)]);
    else known.push(normalise(module));
  }
  return all;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function normalise(name: string): string {
  return name.replaceAll('-', '_');
}

/** What has to be loaded before a module, itself at the end. */
function loadOrder<Found extends Module>({ modules }: Pick<ModuleTree<Found>, 'modules'>, name: string): Found[] {
  const order: Found[] = [];
  const seen = new Set<string>();
  const visit = (at: string): void => {
    const found = modules.get(at);
    if (found === undefined || seen.has(at)) return;
    seen.add(at);
    // The nearest is named first, and what that needs after it.
    for (const needed of found.needs.toReversed()) visit(needed);
    order.push(found);
  };
  visit(name);
  return order;
}

/**
 * Finds the modules of one kernel that have to be there for those that somebody asked for.
 *
 * What is useful besides is taken along: a kernel asks for it by an alias, which leads nowhere in an initrd that lacks it.
 */
export function chooseModules<Found extends Module>(names: readonly string[], tree: ModuleTree<Found>): Chosen<Found> {
  const taken = new Map<string, Found>();
  const useful = new Map<string, Useful>();
  const pending = names.toReversed();
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const found = tree.modules.get(name);
    if (found === undefined || taken.has(name)) continue;
    taken.set(name, found);
    pending.push(...found.needs);
    const wanted = usefulFor(name, tree);
    if (wanted === undefined) continue;
    useful.set(name, wanted);
    pending.push(...wanted.before, ...wanted.after);
  }
  return {
    modules: [...taken.values()].toSorted(byName),
    useful,
    loads: names.filter((name) => tree.modules.has(name)),
    missing: names.filter((name) => !tree.modules.has(name) && !tree.builtin.has(name)),
  };
}

function byName(a: Module, b: Module): number {
  return a.name < b.name ? -1 : 1;
}

function usefulFor(name: string, tree: ModuleTree): Useful | undefined {
  const { before, after } = tree.useful.get(name) ?? { before: [], after: [] };
  const there = (words: readonly string[]): string[] => [...new Set(words.flatMap((word) => namesFor(word, tree)))];
  const found = { before: there(before), after: there(after) };
  return found.before.length + found.after.length === 0 ? undefined : found;
}

/** The modules that a name or an alias is for; none where the kernel has it without. */
function namesFor(useful: string, { modules, builtin, modulesOf }: ModuleTree): readonly string[] {
  const name = normalise(useful);
  if (modules.has(name)) return [name];
  return builtin.has(name) ? [] : modulesOf(name).filter((each) => modules.has(each));
}

/** modules.dep, a line for each module. */
export function dependencyLines({ modules }: Chosen): Map<string, string> {
  const tree = { modules: new Map(modules.map((module) => [module.name, module])) };
  return new Map(
    modules.map(({ name, path }) => {
      const needed = loadOrder(tree, name).slice(0, -1).toReversed();
      return [name, `${path}:${needed.map((each) => ` ${each.path}`).join('')}`];
    }),
  );
}

/** modules.softdep: with names where a kernel's own has aliases, so that nothing has to be looked up. */
export function usefulLines({ modules, useful }: Chosen): string[] {
  return modules.flatMap(({ name }) => {
    const { before = [], after = [] } = useful.get(name) ?? {};
    return [
      ...before.map((each) => `softdep ${name} pre: ${each}`),
      ...after.map((each) => `softdep ${name} post: ${each}`),
    ];
  });
}
