import { ActivateError } from '../errors';
import { isBelow, type TargetPath } from '../path';
import { type HookName, isInInitrd } from './hook';

/** A filesystem other than the root that the boot needs before the generation can be shown. */
export interface OwnFilesystem {
  readonly path: TargetPath;
  /** What it holds, e.g. `the state of activate`. */
  readonly holds: string;
  /** Its options in fstab; `undefined` where fstab does not have it. */
  readonly options: readonly string[] | undefined;
}

/** What a hook is chosen by. */
export interface MachineFacts {
  /** What makes initrds here, and by which path that was seen. */
  readonly makers: readonly { readonly hook: HookName; readonly seen: TargetPath }[];
  /** Those makers that kernel packages call, where several are there. */
  readonly wired: readonly HookName[];
  readonly ownFilesystems: readonly OwnFilesystem[];
  /** `undefined` where it cannot be seen. */
  readonly systemdVersion: number | undefined;
  /** An init that the wrapper can start. */
  readonly init: TargetPath | undefined;
}

/** A hook, and why it is that one. */
export interface Choice {
  readonly hook: HookName;
  readonly why: string;
}

/** What an initrd mounts besides the root. */
export const SYSTEM = '/usr' as TargetPath;

const OLDEST_SYSTEMD = 252;

/**
 * The hook that a machine gets.
 *
 * @param asked what the command line says; without it the one that is installed, where it still works, else the best that does
 * @throws {ActivateError} `REFUSED` where the machine could not boot with it
 */
export function chooseHook(facts: MachineFacts, asked: HookName | undefined, installed?: HookName): Choice {
  refuseOldSystemd(facts);
  const choice =
    asked === undefined ? (keptHook(facts, installed) ?? bestHook(facts)) : { hook: asked, why: 'it was asked for' };
  const why = whyNot(choice.hook, facts);
  if (why === undefined) return choice;
  throw new ActivateError('REFUSED', why.problem, {
    ...(why.path === undefined ? {} : { path: why.path }),
    hint: why.hint,
  });
}

/** What somebody chose once is not changed unasked. */
function keptHook(facts: MachineFacts, installed: HookName | undefined): Choice | undefined {
  if (installed === undefined || whyNot(installed, facts) !== undefined) return undefined;
  return { hook: installed, why: 'it is installed' };
}

function bestHook({ makers, wired }: MachineFacts): Choice {
  const tools = makers.filter(({ hook }) => hook !== 'addon');
  const candidates = tools.length > 1 ? tools.filter(({ hook }) => wired.includes(hook)) : tools;
  if (tools.length > 1 && candidates.length !== 1)
    throw new ActivateError(
      'REFUSED',
      `several programs make initrds here: ${tools.map(({ seen }) => seen).join(', ')}`,
      {
        hint: `Say which one makes those that boot: --initrd ${tools.map(({ hook }) => hook).join(' or --initrd ')}.`,
      },
    );
  const maker = candidates[0] ?? makers[0];
  if (maker !== undefined) return { hook: maker.hook, why: `${maker.seen} is here` };
  return { hook: 'init', why: 'nothing here makes initrds' };
}

function refuseOldSystemd({ systemdVersion }: MachineFacts): void {
  if (systemdVersion === undefined || systemdVersion >= OLDEST_SYSTEMD) return;
  throw new ActivateError('REFUSED', `systemd ${systemdVersion} is too old to boot like this`, {
    hint: `Use systemd ${OLDEST_SYSTEMD} or newer.`,
  });
}

interface Refusal {
  readonly problem: string;
  readonly path?: TargetPath;
  readonly hint: string;
}

function whyNot(hook: HookName, facts: MachineFacts): Refusal | undefined {
  if (hook === 'init' && facts.init === undefined)
    return {
      problem: 'there is no init here that the wrapper could start',
      hint: 'Install systemd, or use --initrd.',
    };
  if (isInInitrd(hook) && hook !== 'addon' && !facts.makers.some((maker) => maker.hook === hook))
    return { problem: `${hook} is not installed`, hint: `Install the Debian package ${hook}, or leave out --initrd.` };
  for (const filesystem of facts.ownFilesystems) {
    const why = isInInitrd(hook) ? whyNotInInitrd(hook, filesystem) : whyNotWithout(filesystem);
    if (why !== undefined) return why;
  }
  return undefined;
}

/** Once PID 1 runs it is too late for a mount: systemd drops the job, and boots on links that lead nowhere. */
function whyNotWithout({ path, holds }: OwnFilesystem): Refusal {
  return {
    path,
    problem: `it holds ${holds} and is a filesystem of its own, which is mounted too late without an initrd`,
    hint: 'Use an initrd (--initrd dracut, initramfs-tools or addon), or have it on the root filesystem.',
  };
}

/** A systemd initrd mounts what fstab marks; initramfs-tools has our own script for it. */
function whyNotInInitrd(hook: HookName, { path, holds, options }: OwnFilesystem): Refusal | undefined {
  // Every initrd mounts that.
  if (path === SYSTEM) return undefined;
  const isMarked = hook === 'initramfs-tools' || options?.includes('x-initrd.mount') === true;
  const isPlain = options !== undefined && !['noauto', 'bind', 'rbind'].some((option) => options.includes(option));
  if (isMarked && isPlain) return undefined;
  return {
    path,
    problem: `it holds ${holds} and is a filesystem of its own, which the initrd does not mount`,
    hint:
      hook === 'initramfs-tools'
        ? `Give ${path} a line in /etc/fstab that mounts a device.`
        : `Give ${path} a line in /etc/fstab with the option x-initrd.mount.`,
  };
}

/** The entries of an fstab(5) that hold any of `needed`, as filesystems of their own. */
export function ownFilesystems(
  fstab: string,
  mounted: readonly string[],
  needed: ReadonlyMap<TargetPath, string>,
): OwnFilesystem[] {
  const lines = parseFstab(fstab);
  const found = new Map<string, OwnFilesystem>();
  for (const [need, holds] of needed) {
    const above = (path: string): boolean => path !== '/' && (path === need || isBelow(need, path));
    for (const path of [...lines.keys(), ...mounted].filter(above))
      found.set(path, { path: path as TargetPath, holds: found.get(path)?.holds ?? holds, options: lines.get(path) });
  }
  return [...found.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** The options of each place that an fstab(5) mounts something at; those of the first line for it. */
export function parseFstab(text: string): Map<string, readonly string[]> {
  const lines = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    if (/^\s*(?:#|$)/u.test(line)) continue;
    const [, place = '', , options = ''] = line.trim().split(/\s+/u);
    const path = unescape(place).replace(/(?<=.)\/+$/u, '');
    if (path.startsWith('/') && !lines.has(path)) lines.set(path, options.split(','));
  }
  return lines;
}

/** Spaces and the like are three octal digits there. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/gu, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
