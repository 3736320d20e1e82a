import * as v from 'valibot';
import beforeMountUnit from '../../hooks/activate-before-mount.service' with { type: 'text' };
import beforeMountHead from '../../hooks/before-mount.sh' with { type: 'text' };
import { encodeName } from '../bytes';
import type { AddonMember, AddonPath } from './archive';
import { renderModuleIndex } from './module-index';
import { type Chosen, dependencyLines, type Module, usefulLines } from './modules';

/** What a generation or a bundle records of the initrd that its closure asks for. */
export interface InitrdRecord {
  /** Names of modules, in the order in which they are loaded. */
  readonly modules: readonly string[];
  /** Commands that run before anything is mounted. */
  readonly beforeMount: readonly (readonly string[])[];
  /** SHA-256 of this and of the modules' files: an initrd that has another one is not up to date. */
  readonly digest: string;
}

export const initrdSchema = v.strictObject({
  modules: v.array(v.string()),
  beforeMount: v.array(v.array(v.string())),
  digest: v.string(),
});

/** A module, with the file that it is in. */
export interface ModuleFile extends Module {
  readonly bytes: Uint8Array;
}

/** The modules that an add-on has for one kernel. */
export interface KernelModules {
  readonly version: string;
  readonly chosen: Chosen<ModuleFile>;
}

/** Where an add-on has modules: beside those of the initrd, whose modules.dep is not ours. */
const KERNEL = 'usr/lib/activate/kernel';

/** Whether an add-on has a path because a closure asks for it, rather than for itself. */
export function isOfClosure(path: AddonPath): boolean {
  return path.startsWith(`${KERNEL}/`) || path === SCRIPT || path.endsWith(`/${UNIT}`);
}

const SCRIPT = 'usr/lib/activate/before-mount';
const UNITS = 'usr/lib/systemd/system';
const UNIT = 'activate-before-mount.service';

/**
 * Modules as `modprobe -d` finds them, whatever of /lib/modules and /usr/lib/modules it was built for.
 *
 * What is useful besides is named in modules.softdep, which modprobe reads as well.
 *
 * @see modprobe(8)
 */
export function moduleMembers(kernels: readonly KernelModules[]): AddonMember[] {
  const filled = kernels.filter(({ chosen }) => chosen.modules.length > 0);
  if (filled.length === 0) return [];
  return [
    { path: `${KERNEL}/lib`, kind: 'symlink', linkText: 'usr/lib' },
    ...filled.flatMap(({ version, chosen }) => membersOf(`${KERNEL}/usr/lib/modules/${version}`, chosen)),
  ];
}

function membersOf(directory: AddonPath, chosen: Chosen<ModuleFile>): AddonMember[] {
  const lines = dependencyLines(chosen);
  const useful = usefulLines(chosen);
  return [
    file(`${directory}/modules.dep`, textOf([...lines.values()])),
    file(`${directory}/modules.dep.bin`, renderModuleIndex(lines)),
    ...(useful.length === 0 ? [] : [file(`${directory}/modules.softdep`, textOf(useful))]),
    ...chosen.modules.map(({ path, bytes }) => file(`${directory}/${path}`, bytes)),
  ];
}

function textOf(lines: readonly string[]): Uint8Array {
  return encodeName(lines.map((line) => `${line}\n`).join(''));
}

function file(path: AddonPath, bytes: Uint8Array, mode = 0o644): AddonMember {
  return { path, kind: 'file', mode, bytes };
}

/** What loads the modules and runs the commands of a closure; nothing where there are none. */
export function beforeMountMembers(wanted: BeforeMount): AddonMember[] {
  if (wanted.modules.length === 0 && wanted.beforeMount.length === 0) return [];
  const [text = '', install = ''] = beforeMountUnit.split('\n[Install]\nRequiredBy=');
  return [
    file(SCRIPT, encodeName(renderBeforeMount(wanted)), 0o755),
    file(`${UNITS}/${UNIT}`, encodeName(`${text}\n`)),
    ...install
      .trim()
      .split(' ')
      .map((by): AddonMember => ({ path: `${UNITS}/${by}.requires/${UNIT}`, kind: 'symlink', linkText: `../${UNIT}` })),
  ];
}

/** What runs before anything is mounted. */
export interface BeforeMount extends Pick<InitrdRecord, 'modules' | 'beforeMount'> {
  readonly kernels: readonly KernelModules[];
}

/**
 * The script for an initrd of any kind. Every word comes to its program as it is in the policy.
 *
 * A kernel that the add-on knows is given its modules; what it has without a module is not looked for. Another one has to have
 * them in its initrd.
 */
export function renderBeforeMount({ modules, beforeMount, kernels }: BeforeMount): string {
  const cases = kernels.map(({ version, chosen }) => `  ${quote(version)}) set --${wordsOf(chosen.loads)} ;;\n`);
  const loading =
    modules.length === 0
      ? ''
      : `case $version in\n${cases.join('')}  *) set --${wordsOf(modules)} ;;\nesac\nfor module; do load "$module"; done\n`;
  const running = beforeMount.map((command, index) => `run ${index + 1}${wordsOf(command)}\n`).join('');
  return `${beforeMountHead}${loading}${running === '' ? '' : `settle\n${running}`}finish\n`;
}

function wordsOf(words: readonly string[]): string {
  return words.map((word) => ` ${quote(word)}`).join('');
}

/** Nothing has a meaning between single quotes but another one. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
