import type { Booted } from './qemu';

/** What a machine looks like: the lines of each aspect that `describe` looks at. */
export type Described = Readonly<Record<string, readonly string[]>>;

/** What `describe "$RESULTS/state"` wrote while a machine ran. */
export function describedBy({ results }: Booted): Described {
  const files = Object.entries(results).filter(([path]) => path.startsWith('state/'));
  const aspects = files.map(
    ([path, text]) => [path.slice('state/'.length), linesOf(path.slice('state/'.length), text)] as const,
  );
  return Object.fromEntries(aspects);
}

/** What the second has and the first has not, and the other way round, e.g. `modules: + loop`. */
export function differencesOf(first: Described, second: Described): string[] {
  const aspects = [...new Set([...Object.keys(first), ...Object.keys(second)])].toSorted();
  return aspects.flatMap((aspect) => {
    const gone = missingFrom(second[aspect] ?? [], first[aspect] ?? []).map((line) => `${aspect}: - ${line}`);
    return gone.concat(missingFrom(first[aspect] ?? [], second[aspect] ?? []).map((line) => `${aspect}: + ${line}`));
  });
}

/**
 * The differences of two machines. Two boots of one machine are never quite the same: where there are any, they are said, both are
 * booted once more, and then nothing at all may differ.
 */
export async function lastingDifferences(
  what: string,
  boots: readonly [() => Promise<readonly string[]>, () => Promise<readonly string[]>],
): Promise<readonly string[]> {
  const found = await boots[0]();
  if (found.length === 0) return found;
  for (const line of found) console.log(`${what}, in the first of two boots: ${line}`);
  return boots[1]();
}

function missingFrom(lines: readonly string[], from: readonly string[]): string[] {
  const there = new Set(lines);
  return from.filter((line) => !there.has(line));
}

/**
 * What is never the same, so that it says nothing: counters, what is reckoned from the memory that is free, identities of one
 * boot, what happens to run or to be loaded just now, and how slow the machine under the emulator is.
 */
const unsteady: Readonly<Record<string, RegExp>> = {
  sysctls:
    /^(?:fs\.(?:dentry-state|inode-nr|inode-state|file-nr|quota\..*|aio-nr|epoll\.max_user_watches)|kernel\.(?:ns_last_pid|random\..*|pty\.nr|threads-max)|vm\.(?:user_reserve_kbytes|min_free_kbytes|stat_refresh)|net\..*(?:_hash.*|mem|_threshold)|user\.max_.*) =/u,
  manager: /^Default(?:LimitNPROC|LimitSIGPENDING|TasksMax)/u,
  contents: /\/etc\/(?:mtab|shadow|(?:passwd|group|g?shadow)-)$/u,
  processes: /\((?:udev-worker|sd-pam)\)|systemd-udevd: |systemd --user|systemd-fsckd$/u,
  files:
    /^\/run\/(?:systemd\/(?:journal\/streams|units|inaccessible|incoming|transient|unit-root|propagate)|udev|user\/1234|log\/journal)(?:\/| )|^\/var\/log\/journal\/.*(?:@|user-)/u,
  units: / not-found |^(?:user(?:-runtime-dir)?[@-]1234|session-|run-user-1234|systemd-fsckd\.|run-credentials-)/u,
  'unit-properties':
    /run-vm|run-user-1234|run-credentials-|^(?:user(?:-runtime-dir)?[@-]1234|session-|proc-sys-fs-binfmt_misc\.mount)/u,
  warnings: /hpet|hrtimer|calibrat|clocksource|took too long|watchdog|uncleanly shut down/iu,
};

function linesOf(aspect: string, text: string): string[] {
  const lines = text.split('\n').filter((line) => line !== '' && unsteady[aspect]?.test(line) !== true);
  return [...new Set(lines.map((line) => steady(aspect, line)))].toSorted();
}

/** A line without what is another at each boot: identities, numbers of pipes, the order of words that have none. */
function steady(aspect: string, line: string): string {
  if (aspect === 'processes')
    return line
      .replace(/(?:\/usr)?(?:\/lib\/systemd\/systemd|\/sbin\/init)( |$)/u, '/sbin/init$1')
      .replace(/(--deserialize[ =])\d+/u, '$1N');
  if (aspect === 'udev') return line.replace(/\binput\d+/gu, 'input');
  // The kernel leaves out a size that is what it would choose itself, of the memory there is just then.
  if (aspect === 'mounts') return line.replace(/,?\b(?:fd|pipe_ino|nr_inodes|size)=\w+/gu, '');
  if (aspect === 'files')
    return line.replace(/systemd-private-[0-9a-f]{32}-(.*?\.service)-\w{6}\b/gu, 'systemd-private-$1');
  if (aspect !== 'unit-properties') return line;
  const [, name = '', words = ''] = /^([^=]*=)(.*)$/u.exec(line) ?? [];
  return (
    name +
    words
      .split(' ')
      .filter((word) => unsteady[aspect]?.test(word.replaceAll('"', '')) !== true)
      .toSorted()
      .join(' ')
  );
}

/** What `activate` adds to a machine, by name. */
const ours: Readonly<Record<string, RegExp>> = {
  units: /^(?:activate-(?:boot|initrd|bless|resume)\.service|boot-complete\.target) /u,
  // A unit file without [Install] that is a link out of the unit directories is not `static` but `linked`, whoever made the link.
  'unit-files': /^(?:activate-(?:boot|initrd|bless|resume)|site-tick)\.service /u,
  'unit-properties': /^(?:activate-(?:boot|initrd|bless|resume)\.service|boot-complete\.target)/u,
  files: /^\/run\/(?:activate|filesystem-overlay|wrappers)(?:\/| )/u,
};

const ourWord = /^(?:activate-(?:boot|initrd|bless|resume)\.service|boot-complete\.target)$|\/50-activate\.conf$/u;

/** A machine as it would look without what `activate` adds, which is its units, and the pointer below /run. */
export function withoutOurs(described: Described): Described {
  return Object.fromEntries(
    Object.entries(described).map(([aspect, lines]) => [
      aspect,
      lines
        .filter((line) => ours[aspect]?.test(line) !== true)
        .map((line) => (aspect === 'unit-properties' ? withoutOurWords(line) : line)),
    ]),
  );
}

function withoutOurWords(line: string): string {
  const [, name = '', words = ''] = /^([^=]*=)(.*)$/u.exec(line) ?? [];
  return (
    name +
    words
      .split(' ')
      .filter((word) => !ourWord.test(word))
      .join(' ')
  );
}
