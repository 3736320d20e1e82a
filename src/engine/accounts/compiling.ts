import { decodeName, encodeName } from '../../core/bytes';
import {
  type AccountName,
  accountNames,
  accountPath,
  type AccountTexts,
  addAccounts,
  parseAccounts,
  withoutPasswords,
} from '../../core/accounts/accounts';
import { nameOrigin, renderSysusers, type SysusersLine } from '../../core/accounts/sysusers';
import { firstUnmet, unwantedGroups } from '../../core/accounts/wishes';
import { ActivateError } from '../../core/errors';
import { parentOf, type TargetPath } from '../../core/path';
import { makeDirectories } from '../../system/tree/changing';
import { createFile } from '../../system/tree/copying';
import { runProgramAtOnce } from '../../system/programs';
import { readFile, readStatus } from '../../system/tree/reading';
import { type Root } from '../../system/tree/rooted';
import { withScratch } from '../../system/host/scratch';

/** What systemd-sysusers is given besides the lines. */
export interface Base {
  readonly texts: AccountTexts;
  /** Who owns the paths that lines take ids from. */
  readonly owners?: ReadonlyMap<string, { readonly uid: number; readonly gid: number }>;
  /** When the new passwords count as set, in seconds since 1970. On the first day they would have to be changed at once. */
  readonly nowSeconds: number;
}

/** The second day of 1970: the same in every bundle, and not the day that asks for a new password. */
export const FIXED_SECONDS = 86_400;

const CONF = '/sysusers.conf' as TargetPath;

/**
 * What users and groups there are once systemd-sysusers has carried out the lines. It works on a copy, in a directory of its
 * own; no password is in that.
 *
 * @throws {ActivateError} `REFUSED` where it is missing or does not do what a line says
 */
export function compileAccounts(lines: readonly SysusersLine[], base: Base): AccountTexts {
  const made = withScratch((scratch) => {
    writeBase(scratch, lines, base);
    const args = [`--root=${scratch.path}`, scratch.path + CONF];
    const ended = runProgramAtOnce('systemd-sysusers', args, { SOURCE_DATE_EPOCH: String(base.nowSeconds) });
    if (ended.status !== 0) throw refused(lines, scratch, ended.stderr);
    return { texts: readTexts(scratch), stderr: ended.stderr };
  });
  const unwanted = unwantedGroups(lines, parseAccounts(base.texts));
  const texts: Partial<Record<(typeof accountNames)[number], string>> = {};
  for (const name of accountNames) {
    const text = addAccounts(name, base.texts[name] ?? '', wantedLines(name, made.texts[name] ?? '', unwanted));
    if (text !== '' || base.texts[name] !== undefined) texts[name] = text;
  }
  const unmet = firstUnmet(lines, parseAccounts(texts));
  if (unmet === undefined) return texts;
  throw new ActivateError('REFUSED', `systemd-sysusers cannot do this: ${unmet.why}${reasonsIn(made.stderr)}`, {
    path: nameOrigin(unmet.at),
    hint: 'Give each user and group of the closure an id of its own, and each named group a line.',
  });
}

function wantedLines(name: AccountName, text: string, unwanted: ReadonlySet<string>): string {
  if (unwanted.size === 0 || (name !== 'group' && name !== 'gshadow')) return text;
  return text
    .split('\n')
    .filter((line) => !unwanted.has(line.split(':')[0] ?? ''))
    .join('\n');
}

function writeBase(scratch: Root, lines: readonly SysusersLine[], { texts, owners }: Base): void {
  makeDirectories(scratch, parentOf(accountPath('passwd')), 0o755);
  for (const name of accountNames) {
    // Files that it makes itself nobody but root could read.
    const text = texts[name] ?? '';
    const shown = name === 'shadow' || name === 'gshadow' ? withoutPasswords(text) : text;
    createFile(scratch, accountPath(name), { mode: 0o600 }, encodeName(shown));
  }
  for (const [path, owner] of owners ?? []) {
    const target = path as TargetPath;
    if (readStatus(scratch, target) !== undefined) continue;
    makeDirectories(scratch, parentOf(target), 0o755);
    createFile(scratch, target, { mode: 0o600, ...owner }, new Uint8Array());
  }
  createFile(scratch, CONF, { mode: 0o600 }, encodeName(renderSysusers(lines)));
}

function readTexts(scratch: Root): AccountTexts {
  return Object.fromEntries(
    accountNames.flatMap((name) => {
      const path = accountPath(name);
      return readStatus(scratch, path) === undefined ? [] : [[name, decodeName(readFile(scratch, path))]];
    }),
  );
}

/** Its messages name lines of the text that it was given: each is the one below the comment that says where it is from. */
function refused(lines: readonly SysusersLine[], { path }: Root, stderr: string): ActivateError {
  const said = stderr.trim().split('\n').at(-1) ?? '';
  const [, number, message] = /^.*sysusers\.conf:(\d+): (.*)$/u.exec(said) ?? [];
  const line = number === undefined ? undefined : lines[Number(number) / 2 - 1];
  return new ActivateError('REFUSED', `systemd-sysusers: ${(message ?? said).replaceAll(path, '')}`, {
    ...(line === undefined ? {} : { path: nameOrigin(line.at) }),
    hint: 'Mend the line, or use a newer systemd.',
  });
}

/** What it says besides what it did, which is where it says why it left something out. */
function reasonsIn(stderr: string): string {
  const reasons = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Creating '));
  return reasons.length === 0 ? '' : ` (${reasons.join('; ')})`;
}
