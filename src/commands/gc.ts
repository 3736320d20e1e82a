import type { Command } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { plural } from '../core/report/report';
import { collectGarbage } from '../engine/collecting';
import { addWaitOption, parseAge, parseNumber, type Run } from '../options';
import { say } from '../saying';

interface Flags {
  readonly keep?: number;
  readonly olderThan?: number;
}

/** Declares `gc`: removes generations that nobody needs. */
export function declareGc(program: Command, run: Run): void {
  addWaitOption(program.command('gc'))
    .summary('remove old generations; never what is live, default or booted')
    .option('--keep <number>', 'keep the newest ones', parseNumber)
    .option('--older-than <age>', 'remove only what is older, e.g. 30d', parseAge)
    .addHelpText('after', '\nExample:\n  activate gc --keep 5 --older-than 30d')
    .action((flags: Flags) => run((context) => gc(context, flags)));
}

async function gc(context: Context, { keep, olderThan }: Flags): Promise<number> {
  if (keep === undefined && olderThan === undefined) {
    throw new ActivateError('USAGE', 'gc wants to know what may go', {
      hint: 'Say --keep NUMBER, --older-than AGE, or both.',
    });
  }
  const gone = await collectGarbage(context, { keep, olderThanMs: olderThan });
  const numbers = gone.map(({ number }) => number);
  say(
    context,
    context.json
      ? `${JSON.stringify({ schema: 1, removed: numbers })}\n`
      : `${plural(numbers.length, 'generation')} removed${numbers.length === 0 ? '' : `: ${numbers.join(', ')}`}.\n`,
  );
  return 0;
}
