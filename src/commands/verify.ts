import type { Command } from 'commander';
import type { Context } from '../context';
import { renderVerified } from '../core/report/verify-report';
import { verify } from '../engine/verifying';
import type { Run } from '../options';
import { say } from '../saying';

/** Declares `verify`: holds what is there against the record, content included. */
export function declareVerify(program: Command, run: Run): void {
  program
    .command('verify')
    .summary('each managed path, and what it shows, against the record: exit 1 on differences')
    .action(() => run(verifyCommand));
}

async function verifyCommand(context: Context): Promise<number> {
  const verified = await verify(context);
  say(context, renderVerified(verified, context.json ? 'json' : 'text'));
  return verified.wrong.length === 0 ? 0 : 1;
}
