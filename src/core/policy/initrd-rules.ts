import { parseTargetPath } from '../path';
import { complaint, isTable, type Key, readTable, type Spot } from './policy-keys';

/** What a policy says of the initrd: `[initrd]`. */
export interface InitrdRules {
  /** Modules of the kernel that are loaded before anything is mounted, in this order; each with `_` for `-`. */
  readonly modules: readonly string[];
  /**
   * Where modules are besides the kernel's own: directories with lib/modules/VERSION in them. An absolute path as the running
   * system sees it, or what begins with a name at the closure's top.
   */
  readonly moduleDirectories: readonly string[];
  /** Commands, each a program and its arguments, that run before anything is mounted. */
  readonly beforeMount: readonly (readonly string[])[];
  /** Where it stands, for messages: `activation.toml: initrd`. */
  readonly origin: string;
}

const textList: Key<readonly string[]> = {
  allowed: 'a list of texts in quotes, e.g. ["zfs"]',
  read: (value) => (isTextList(value) ? value : undefined),
};

const keys = {
  modules: textList,
  'module-directories': { ...textList, allowed: 'a list of paths, e.g. ["lib/extra-modules"]' },
  'before-mount': {
    allowed: 'a list of commands, each a list of a program and its arguments, e.g. [["zpool", "import", "-aN"]]',
    read: (value) => (Array.isArray(value) && value.every(isTextList) ? value : undefined),
  } satisfies Key<readonly (readonly string[])[]>,
};

/** What the policy may have under `initrd`. */
export const initrdKey: Key<Readonly<Record<string, unknown>>> = {
  allowed: 'one table, under [initrd] with one bracket',
  read: (value) => (isTable(value) ? value : undefined),
};

/**
 * Reads `[initrd]`; `undefined` where it asks for nothing.
 *
 * @throws {ActivateError} `POLICY`
 */
export function parseInitrdRules(table: unknown, file: string): InitrdRules | undefined {
  const spot = { file, keyPrefix: 'initrd.' };
  const read = readTable(table, keys, spot);
  const { modules = [], 'module-directories': moduleDirectories = [], 'before-mount': beforeMount = [] } = read;
  const names = modules.map((name) => moduleName(name, spot));
  for (const [index, name] of names.entries())
    if (names.indexOf(name) < index)
      throw complaint(
        spot,
        'modules',
        `${JSON.stringify(modules[index])} is named twice`,
        'Name it once; - and _ are the same.',
      );
  for (const path of moduleDirectories) refuseDirectory(path, spot);
  if (moduleDirectories.length > 0 && names.length === 0)
    throw complaint(spot, 'module-directories', 'it makes no sense without modules', 'Write e.g. modules = ["zfs"].');
  for (const command of beforeMount) refuseCommand(command, spot);
  if (names.length === 0 && beforeMount.length === 0) return undefined;
  return { modules: names, moduleDirectories, beforeMount, origin: `${file}: initrd` };
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function moduleName(name: string, spot: Spot): string {
  if (/^[\w-]{1,63}$/u.test(name)) return name.replaceAll('-', '_');
  throw complaint(
    spot,
    'modules',
    `${JSON.stringify(name.slice(0, 80))} is no name of a module`,
    'Write it as lsmod does, e.g. "zfs": letters, digits, _ and -, without a directory or ".ko".',
  );
}

function refuseDirectory(path: string, spot: Spot): void {
  if (path !== '' && parseTargetPath(path.startsWith('/') ? path : `/${path}`) !== undefined) return;
  throw complaint(
    spot,
    'module-directories',
    `${JSON.stringify(path)} is no path of a directory`,
    'Write an absolute path, or one from the closure\'s top such as "lib/extra-modules"; without "..".',
  );
}

function refuseCommand(command: readonly string[], spot: Spot): void {
  const [program = ''] = command;
  const hint = 'Write e.g. before-mount = [["zpool", "import", "-aN", "rpool"]].';
  if (command.length === 0) throw complaint(spot, 'before-mount', 'a command is empty', hint);
  if (!/^(?:\/.*[^/]|[^/-][^/]*)$/su.test(program))
    throw complaint(
      spot,
      'before-mount',
      `${JSON.stringify(program)} is no program`,
      'The first word is the name of a program, or an absolute path.',
    );
  const odd = command.find((word) => word.includes('\0') || !word.isWellFormed());
  if (odd !== undefined)
    throw complaint(spot, 'before-mount', `${JSON.stringify(odd)} cannot be passed to a program`, 'Leave the NUL out.');
}
