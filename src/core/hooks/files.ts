import activateBless from '../../hooks/activate-bless.service' with { type: 'text' };
import activateBoot from '../../hooks/activate-boot.service' with { type: 'text' };
import activateInitrd from '../../hooks/activate-initrd.service' with { type: 'text' };
import activateResume from '../../hooks/activate-resume.service' with { type: 'text' };
import bless from '../../hooks/bless.sh' with { type: 'text' };
import boot from '../../hooks/boot.sh' with { type: 'text' };
import bring from '../../hooks/bring.sh' with { type: 'text' };
import dracut from '../../hooks/dracut.conf' with { type: 'text' };
import init from '../../hooks/init.sh' with { type: 'text' };
import initramfsHook from '../../hooks/initramfs-tools-hook.sh' with { type: 'text' };
import initramfsInitBottom from '../../hooks/initramfs-tools-init-bottom.sh' with { type: 'text' };
import initramfsLocalTop from '../../hooks/initramfs-tools-local-top.sh' with { type: 'text' };
import initramfsLocalBottom from '../../hooks/initramfs-tools-local-bottom.sh' with { type: 'text' };
import kernelInstall from '../../hooks/kernel-install.sh' with { type: 'text' };
import sysusersNeedsBoot from '../../hooks/sysusers-needs-boot.conf' with { type: 'text' };
import directories from '../../../tmpfiles/activate-directories.conf' with { type: 'text' };
import { type AddonMember, type AddonPath, renderAddon } from '../boot/archive';
import { encodeName } from '../bytes';
import { STATE } from '../entry';
import type { TargetPath } from '../path';
import { FALLBACK } from '../records/boot';
import type { HookName } from './hook';

/** Something that a hook needs on the machine; all of it is root's. */
export type HookFile = {
  readonly path: TargetPath;
  /** What it is for, in a few words. */
  readonly why: string;
} & ({ readonly mode: number; readonly bytes: Uint8Array } | { readonly linkText: string });

const LIBRARY = '/usr/lib/activate';
/** What the kernel is told to start where there is no initrd. */
export const INIT = '/usr/lib/activate/init' as TargetPath;
const UNITS = '/usr/lib/systemd/system';
const INITRAMFS = '/usr/share/initramfs-tools';

/** What the texts have in place of the program. */
const PROGRAM = '@ACTIVATE@';

/** What the files of a hook depend on besides the hook. */
export interface HookInput {
  /** Where `activate` is on the machine that boots. */
  readonly program: string;
  /** What the closure of the default generation wants in an initrd. */
  readonly closure: readonly AddonMember[];
  /** The names of modules among that, for kernels that it does not know. */
  readonly modules: readonly string[];
}

/**
 * What a hook needs, in the order of its paths. Nothing of it is in /etc, which is managed: units are enabled by links beside them.
 */
export function hookFiles(hook: HookName, input: HookInput): HookFile[] {
  return [...common(input.program), ...own[hook](input), ...lateFiles(hook)].toSorted((a, b) =>
    a.path < b.path ? -1 : 1,
  );
}

/** What is appended to a systemd initrd so that it shows the default generation, without modules. */
export function addonMembers(): AddonMember[] {
  return [...initrdUnit(), script('boot', withoutComments(boot), 'shows a generation')].map(memberOf);
}

/**
 * A hook that needs no initrd, as an archive to be unpacked at the top of a machine that has no `activate`; the program is
 * looked for where packages have it.
 */
export function hookArchive(hook: 'init' | 'oneshot'): Uint8Array {
  return renderAddon(hookFiles(hook, { program: '/usr/bin/activate', closure: [], modules: [] }).map(memberOf));
}

function memberOf(file: HookFile): AddonMember {
  const path = file.path.slice(1) as AddonPath;
  if ('linkText' in file) return { path, kind: 'symlink', linkText: file.linkText };
  return { path, kind: 'file', mode: file.mode, bytes: file.bytes };
}

/** An initrd is read before anything else of a boot: the script is what it is without the lines that are for people alone. */
export function withoutComments(text: string): string {
  return text.replaceAll(/(?<=\n)[\t ]*#.*\n/gu, '');
}

function common(program: string): HookFile[] {
  return [
    script('boot', boot, 'shows a generation'),
    text(`${LIBRARY}/bring.sh`, bring, 'brings links and files to another generation'),
    script('bless', bless, 'ends the trial of a generation that booted'),
    ...unit('activate-bless.service', activateBless, 'ends the trial of a generation that booted'),
    ...unit(
      'activate-resume.service',
      activateResume.replaceAll(PROGRAM, program),
      'finishes what a crash or a boot left',
    ),
    text('/usr/lib/tmpfiles.d/activate-directories.conf', directories, 'the directories that activate needs'),
  ];
}

const own: Readonly<Record<HookName, (input: HookInput) => HookFile[]>> = {
  dracut: (input) => [
    ...initrdUnit(),
    ...closureFiles(input),
    ...dracutLines(input),
    text('/usr/lib/dracut/dracut.conf.d/50-activate.conf', dracut, 'has dracut take in what is needed'),
  ],
  'initramfs-tools': (input) => [
    ...closureFiles(input),
    ...(input.closure.length === 0 ? [] : [initramfsBeforeMount]),
    executable(`${INITRAMFS}/hooks/activate`, initramfsHook, 'has update-initramfs take in what is needed'),
    executable(`${INITRAMFS}/scripts/local-bottom/activate`, initramfsLocalBottom, 'mounts what holds the state'),
    executable(`${INITRAMFS}/scripts/init-bottom/activate`, initramfsInitBottom, 'shows a generation in the initrd'),
  ],
  addon: ({ closure }) => [
    {
      path: `${LIBRARY}/addon.cpio` as TargetPath,
      why: 'is a second initrd',
      mode: 0o644,
      bytes: renderAddon([...addonMembers(), ...closure]),
    },
    executable('/usr/lib/kernel/install.d/60-activate.install', kernelInstall, 'gives each kernel the second initrd'),
  ],
  init: () => [script('init', init, 'is started by the kernel, and starts the real init')],
  oneshot: () => [],
};

/**
 * The service that shows a generation once PID 1 runs. Behind any other hook it does so where that one has not run, such as in an
 * initrd that was made before: much is too late then, but programs, logins and services find their files.
 */
function lateFiles(hook: HookName): HookFile[] {
  const isHook = hook === 'oneshot';
  // It stands in for another one only where the state is there: it comes before all mounts that it could wait for.
  const needs = isHook ? `RequiresMountsFor=${STATE} /run` : `ConditionPathIsSymbolicLink=${STATE}/default`;
  const content = activateBoot.replace('@HOOK@', isHook ? 'oneshot' : FALLBACK).replace('@NEEDS@', needs);
  const why = isHook ? 'shows a generation early at boot' : 'shows a generation where the hook has not run';
  return [
    ...unit('activate-boot.service', content, why),
    text(
      `${UNITS}/systemd-sysusers.service.d/50-activate.conf`,
      sysusersNeedsBoot,
      'keeps users and groups where no generation can be shown',
    ),
  ];
}

/** What a closure wants in an initrd, where the machine has it for whatever makes its initrds. */
function closureFiles({ closure }: HookInput): HookFile[] {
  return closure.flatMap((member): HookFile[] => {
    const path = `/${member.path}` as TargetPath;
    if (member.kind === 'directory') return [];
    if (member.kind === 'symlink') return [{ path, linkText: member.linkText, why: WANTED }];
    return [{ path, mode: member.mode, bytes: member.bytes, why: WANTED }];
  });
}

const WANTED = 'is what [initrd] of the closure asks for';

const initramfsBeforeMount = executable(
  `${INITRAMFS}/scripts/local-top/activate-before-mount`,
  initramfsLocalTop,
  'does what [initrd] of the closure asks for',
);

function dracutLines({ closure, modules }: HookInput): HookFile[] {
  const items = closure.filter(({ kind }) => kind !== 'directory').map(({ path }) => `install_items+=" /${path} "\n`);
  const drivers = modules.map((module) => `add_drivers+=" ${module} "\n`);
  if (items.length + drivers.length === 0) return [];
  const content = `# Made by activate: what [initrd] of activation.toml asks for.\n${[...items, ...drivers].join('')}`;
  return [text('/usr/lib/dracut/dracut.conf.d/51-activate-closure.conf', content, WANTED)];
}

function initrdUnit(): HookFile[] {
  return unit('activate-initrd.service', activateInitrd, 'shows a generation in the initrd');
}

/** A unit, and links that enable it in place of its section [Install], which would enable it in /etc. */
function unit(name: string, content: string, why: string): HookFile[] {
  const [head = '', install = ''] = content.split(/\n\[Install\]\n/u);
  const links = [...install.matchAll(/^(Wanted|Required)By=(.+)$/gmu)].flatMap(([, kind, targets = '']) =>
    targets.split(' ').map((target) => ({
      path: `${UNITS}/${target}.${kind === 'Wanted' ? 'wants' : 'requires'}/${name}` as TargetPath,
      linkText: `../${name}`,
      why: `enables ${name}`,
    })),
  );
  return [text(`${UNITS}/${name}`, head, why), ...links];
}

function script(name: string, content: string, why: string): HookFile {
  return executable(`${LIBRARY}/${name}`, content, why);
}

function executable(path: string, content: string, why: string): HookFile {
  return { path: path as TargetPath, mode: 0o755, bytes: encodeName(content), why };
}

function text(path: string, content: string, why: string): HookFile {
  return { path: path as TargetPath, mode: 0o644, bytes: encodeName(content), why };
}
