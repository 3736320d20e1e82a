import { type HookName, hookTitles } from '../hooks/hook';
import { rebuilds } from '../hooks/next';
import type { BootRecord } from '../records/boot';
import type { Generation } from '../records/generation';
import { isImage } from '../records/overlay';
import type { Claim } from '../status/claims';
import type { Columns } from '../status/columns';
import { bootLines, describeTrial, lateLines, passedOverLines, type Tries } from './boot-report';
import { type Mounts, type Roles, shownClosure } from './generations-report';
import { describeOverlay } from './overlay-report';
import { plural } from './report';
import { displayName } from './text/display';
import { renderAge, shortTime } from './text/table';

/** What `status` knows. */
export interface Status extends Roles {
  /** What the boot hook said of this boot. */
  readonly boot: BootRecord | 'damaged' | undefined;
  /** Why the next boot will not show the default; `undefined` where nothing is known that keeps it from that. */
  readonly passesOver: string | undefined;
  /** Those of the generations that are on trial. */
  readonly tries: Tries;
  /** The records of the generations in `live` and `default`. */
  readonly generations: readonly Generation[];
  /** A transition that is under way or was interrupted. */
  readonly interrupted: { readonly from: number; readonly to: number } | 'unreadable' | undefined;
  /** The generation that boots brought /etc to, where that is not recorded yet. */
  readonly unsettled: number | undefined;
  /** Whether the pointer shows what is live. */
  readonly pointer: 'right' | 'wrong' | 'missing';
  /** Whether what the live generation shows is still there. */
  readonly content: 'there' | 'not mounted' | 'gone';
  /** What shows the default generation at boot; `undefined` where `activate install` did nothing. */
  readonly hook: HookName | undefined;
  /** Its files that are not as this version installs them. */
  readonly staleHookFiles: readonly string[];
  /** Whether the hook works in initrds, and all that can be seen were made before it was installed. */
  readonly staleInitrds: boolean;
  /** Those of the generations that are shown through a mount, by number. */
  readonly mounts: Mounts;
  readonly managed: number;
  /** Paths that are not as they were recorded. */
  readonly drifted: readonly string[];
  /** What became of paths, and what the default generation would do to them. */
  readonly columns: readonly Columns[];
  /** Why a reboot is needed; `undefined` where that cannot be known. */
  readonly reboot: readonly string[] | undefined;
  /** Lines of the machine's own tmpfiles.d that will fight for managed paths. */
  readonly claims: readonly Claim[];
  /** Paths where the machine's own, or somebody's change, was left in place, until that is resolved. */
  readonly kept: readonly string[];
  /** Paths where somebody's change is merged with ours. */
  readonly merged: readonly string[];
  /** Whether the records of the live generation can be changed by writing through its links. */
  readonly protection: 'store' | 'immutable' | 'read-only mount' | 'none' | undefined;
  /** How many backups there are. */
  readonly backups: number;
  /** How many originals are kept, to come back. */
  readonly displaced: number;
  readonly unread: readonly string[];
}

const MOST_PATHS = 10;

/** Whether the machine shows what its live generation recorded, and nothing was interrupted. */
export function isAsRecorded({ drifted, pointer, content, interrupted, unsettled }: Status): boolean {
  const isEnded = interrupted === undefined && unsettled === undefined;
  return drifted.length === 0 && pointer === 'right' && content === 'there' && isEnded;
}

/** How long ago a time in ISO 8601 is, in milliseconds. */
type AgeOf = (iso: string) => number;

/** The status on one screen, or as JSON. */
export function renderStatus(status: Status, form: 'text' | 'json', ageOf: AgeOf): string {
  if (form === 'json')
    return `${JSON.stringify({ schema: 1, ...status, booted: status.booted ?? null, boot: status.boot ?? null, hook: status.hook ?? null, passesOver: status.passesOver ?? null, reboot: status.reboot ?? null, interrupted: status.interrupted ?? null, unsettled: status.unsettled ?? null }, undefined, 1)}\n`;
  const lines = [
    `live     ${describe(status, status.live, ageOf)}`,
    `default  ${status.default === status.live ? 'the same' : describe(status, status.default, ageOf)}`,
    `booted   ${status.booted === undefined ? unknownBoot(status) : describe(status, status.booted, ageOf)}`,
    ...hookLines(status),
    ...bootLines(status.boot),
    ...overlayLines(status),
    ...interruption(status),
    ...unsettledLines(status),
    ...pointerLines(status),
    ...countLines(status),
    ...passedOverLines(status.passesOver, { next: status.default, instead: insteadOf(status) }),
    ...rebootLines(status),
    ...claimLines(status),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function unknownBoot({ boot }: Status): string {
  return boot === 'damaged' ? 'unknown: /run/activate/boot.json is damaged' : 'unknown: no boot hook said so';
}

/** What can be made the default where that will not be shown. */
function insteadOf({ live, default: next, booted = 0 }: Status): number {
  return live === next ? (booted === next ? 0 : booted) : live;
}

function describe({ generations, tries }: Status, number: number, ageOf: AgeOf): string {
  if (number === 0) return 'generation 0: nothing is managed';
  const generation = generations.find((candidate) => candidate.number === number);
  if (generation === undefined) return `generation ${number}`;
  return `generation ${number}, made ${shortTime(generation.created)} (${renderAge(ageOf(generation.created))}): ${[`${displayName(shownClosure(generation))} (${generation.format})`, ...describeTrial(tries[number])].join(', ')}`;
}

/** Where nothing is managed no boot needs one. */
function hookLines({ hook, staleHookFiles, staleInitrds, live, default: next, boot, booted }: Status): string[] {
  const since = booted === undefined ? '; this boot began without it' : '';
  const stale =
    staleHookFiles.length === 0
      ? []
      : [`${plural(staleHookFiles.length, 'file')} of the hook not as this version has them; \`activate install\`:`];
  if (hook !== undefined)
    return [
      `hook     ${hook}: ${hookTitles[hook]}${since}`,
      ...(staleInitrds
        ? [`  The initrds were made before it was installed: \`${rebuilds[hook]?.join(' ')}\` before you reboot.`]
        : lateLines(boot, hook)),
      ...stale,
      ...listPaths('changed', staleHookFiles),
    ];
  if ((live === 0 && next === 0) || booted !== undefined) return [];
  return ['hook     none: the next boot would find links that lead nowhere; `activate install`'];
}

/** What is in a store or a tree needs no words. */
function overlayLines({ generations, mounts, live }: Status): string[] {
  const generation = generations.find(({ number }) => number === live);
  const shown = mounts[live];
  if (generation === undefined || shown === undefined) return [];
  const digest = isImage(generation.carrier) ? `, SHA-256 ${generation.carrier.digest}` : '';
  return [`overlay  ${describeOverlay(generation, shown)}${digest}`];
}

function interruption({ interrupted }: Status): string[] {
  if (interrupted === undefined) return [];
  if (interrupted === 'unreadable') return ['A transition is under way, or was interrupted: root can tell.'];
  return [
    `The transition from generation ${interrupted.from} to ${interrupted.to} is under way or was interrupted: \`activate resume\`.`,
  ];
}

function unsettledLines({ unsettled }: Status): string[] {
  if (unsettled === undefined) return [];
  return [`A boot brought /etc to generation ${unsettled}, and that is not recorded yet: \`activate resume\`.`];
}

function pointerLines({ pointer, content, live, unsettled }: Status): string[] {
  if (unsettled !== undefined) return [];
  if (content === 'gone')
    return [`What generation ${live} shows is gone: switch to its closure again, or \`activate rollback\`.`];
  if (content === 'not mounted')
    return [`What generation ${live} shows is not mounted: \`activate switch ${live}\` puts it right.`];
  if (pointer === 'right') return [];
  return [`The pointer /run/filesystem-overlay is ${pointer}: \`activate switch ${live}\` puts it right.`];
}

function countLines(status: Status): string[] {
  const { managed, drifted, kept, merged, displaced, unread, live, backups, protection } = status;
  if (live === 0) return [];
  const lines = [
    `paths    ${managed} managed, ${drifted.length} drifted, ${kept.length} kept as the machine's, ${plural(displaced, 'original')} to come back`,
  ];
  lines.push(
    ...columnLines(status),
    ...listPaths('kept', kept),
    ...listPaths('merged', merged),
    ...listPaths('not read', unread),
  );
  if (kept.length > 0)
    lines.push(
      'What is kept stays until `--on-conflict backup` or `--on-drift backup` takes it over, or it is the same.',
    );
  if (backups > 0) lines.push(`backups  ${backups}: \`activate backups\``);
  if (protection === 'none')
    lines.push(
      `Generation ${live} is not protected: its filesystem has no immutable files, so what writes through a link changes the record. \`activate verify\` finds that.`,
    );
  if (drifted.length > 0)
    lines.push(
      `\`activate diff ${live}\` shows what putting it right would change; \`activate switch ${live}\` does it.`,
    );
  return lines;
}

/** Two letters for each path, as `git status` has them. */
function columnLines({ columns }: Status): string[] {
  if (columns.length === 0) return [];
  const shown = columns.slice(0, MOST_PATHS);
  const lines = shown.map(({ path, since, next }) => `  ${since ?? ' '} ${next ?? ' '}  ${displayName(path)}`);
  const more = columns.length - shown.length;
  return [
    '  first what changed since it was written, then what the default would change',
    '  (A added, M modified, D deleted, T of another kind):',
    ...lines,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function rebootLines({ reboot }: Status): string[] {
  if (reboot === undefined || reboot.length === 0) return [];
  return [`reboot   needed: ${reboot.join(', ')} of the default generation differ from what was booted`];
}

function claimLines({ claims }: Status): string[] {
  if (claims.length === 0) return [];
  const lines = claims
    .slice(0, MOST_PATHS)
    .map(({ path, file, line, type }) => `  ${displayName(path)}: ${type} in ${displayName(file)}:${line}`);
  const more = claims.length - lines.length;
  return [
    `tmpfiles ${plural(claims.length, 'line')} of the machine's own tmpfiles.d will change managed paths at the next boot:`,
    ...lines,
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

function listPaths(what: string, paths: readonly string[]): string[] {
  const shown = paths.slice(0, MOST_PATHS).map((path) => `  ${what}: ${displayName(path)}`);
  return paths.length > MOST_PATHS ? [...shown, `  and ${paths.length - MOST_PATHS} more`] : shown;
}
