import type { Command } from 'commander';
import type { Context } from '../context';
import { exitStatuses } from '../core/errors';
import { conflictToJson, renderConflicts } from '../core/report/report';
import { renderVerified } from '../core/report/verify-report';
import { verify, verifyAndRepair } from '../engine/checking/verifying';
import { addWaitOption, type Run } from '../options';
import { say } from '../saying';

/** Declares `verify`: holds what is there against the record, content included. */
export function declareVerify(program: Command, run: Run): void {
  const command = program
    .command('verify')
    .summary('each managed path, and what it shows, against the record: exit 1 on differences')
    .option('--repair', 'put right what drifted; changes become backups');
  addWaitOption(command)
    .addHelpText('after', '\nExamples:\n  activate verify\n  activate verify --repair')
    .action(({ repair }: { readonly repair?: true }) => run(repair === undefined ? verifyCommand : repairCommand));
}

async function verifyCommand(context: Context): Promise<number> {
  const verified = await verify(context);
  say(context, renderVerified(verified, context.json ? 'json' : 'text'));
  return verified.wrong.length === 0 ? 0 : 1;
}

async function repairCommand(context: Context): Promise<number> {
  const { verified, conflicts } = await verifyAndRepair(context);
  if (conflicts.length === 0) {
    say(context, renderVerified(verified, context.json ? 'json' : 'text'));
    return verified.wrong.length === 0 ? 0 : 1;
  }
  if (context.json)
    context.write(`${JSON.stringify({ schema: 1, ...verified, conflicts: conflicts.map(conflictToJson) })}\n`);
  else context.warn(`activate: ${renderConflicts(conflicts)}`);
  return exitStatuses.CONFLICT;
}
