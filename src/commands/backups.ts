import type { Command } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { renderBackups } from '../core/report/backups-report';
import { displayName, escapeLine } from '../core/report/text/display';
import { paintFor } from '../core/report/text/paint';
import { renderPatch } from '../core/report/change/patch';
import { plural } from '../core/report/report';
import { changeToJson } from '../core/report/summary';
import { diffBackup, listBackups, pruneBackups, restoreBackup } from '../engine/backups/using';
import { addWaitOption, parseAge, parseNumber, type Run } from '../options';
import { say } from '../saying';

/** Declares `backups`: what switches took out of the way, and what can be done with it. */
export function declareBackups(program: Command, run: Run): void {
  const backups = program
    .command('backups')
    .summary('what switches took out of the way: list, diff, restore, prune')
    .addHelpText('after', '\nExamples:\n  activate backups\n  activate backups diff 3\n  activate backups restore 3')
    .action(() => run(list));
  backups
    .command('diff')
    .summary('what restoring a backup would change')
    .argument('<number>', 'its number', parseNumber)
    .option('--show-secrets', 'show the content of files that not everyone may read')
    .action((number: number, flags: { readonly showSecrets?: true }) => run((context) => diff(context, number, flags)));
  addWaitOption(backups.command('restore'))
    .summary('put a backup back; what is there becomes a backup')
    .argument('<number>', 'its number', parseNumber)
    .action((number: number) => run((context) => restore(context, number)));
  addWaitOption(backups.command('prune'))
    .summary('remove backups; never originals that are to come back')
    .argument('[numbers...]', 'their numbers', collectNumbers)
    .option('--keep <number>', 'keep the newest ones', parseNumber)
    .option('--older-than <age>', 'remove only what is older, e.g. 30d', parseAge)
    .action((numbers: number[] | undefined, flags: PruneFlags) =>
      run((context) => prune(context, numbers ?? [], flags)),
    );
}

async function list(context: Context): Promise<number> {
  say(context, renderBackups(await listBackups(context), context.json ? 'json' : 'text'));
  return 0;
}

async function diff(context: Context, number: number, flags: { readonly showSecrets?: true }): Promise<number> {
  const secrets = flags.showSecrets === undefined ? 'withheld' : 'shown';
  const changes = await diffBackup(context, number, { secrets });
  const { terminal, json } = context;
  const show = terminal.isTerminal ? escapeLine : undefined;
  context.write(
    json
      ? `${JSON.stringify({ schema: 1, backup: number, changes: changes.map(changeToJson) }, undefined, 1)}\n`
      : changes.map((change) => renderPatch(change, paintFor(terminal.colour), show)).join(''),
  );
  return 0;
}

async function restore(context: Context, number: number): Promise<number> {
  const { backup, done } = await restoreBackup(context, number);
  const replaced = done.backups[0]?.number;
  const before = replaced === undefined ? '' : `; what was there is backup ${replaced}`;
  say(
    context,
    context.json
      ? `${JSON.stringify({ schema: 1, restored: backup, replaced: replaced ?? null })}\n`
      : `${displayName(backup.path)}: backup ${number} is back${before}.\n`,
  );
  return 0;
}

/** Commander hands over what came before, nothing at first. */
function collectNumbers(text: string, before: number[] | undefined): number[] {
  return [...(before ?? []), parseNumber(text)];
}

interface PruneFlags {
  readonly keep?: number;
  readonly olderThan?: number;
}

async function prune(context: Context, numbers: readonly number[], { keep, olderThan }: PruneFlags): Promise<number> {
  const isLimited = keep !== undefined || olderThan !== undefined;
  if (numbers.length > 0 === isLimited) {
    throw new ActivateError('USAGE', 'prune wants to know what may go', {
      hint: 'Say which by number, or --keep NUMBER, --older-than AGE, or both of these.',
    });
  }
  const gone = (await pruneBackups(context, { numbers, keep, olderThanMs: olderThan })).map(({ number }) => number);
  say(
    context,
    context.json
      ? `${JSON.stringify({ schema: 1, removed: gone })}\n`
      : `${plural(gone.length, 'backup')} removed${gone.length === 0 ? '' : `: ${gone.join(', ')}`}.\n`,
  );
  return 0;
}
