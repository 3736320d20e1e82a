import type { Command } from 'commander';
import type { Context } from '../context';
import { isAsRecorded, renderStatus } from '../core/report/status-report';
import { ageOf, readMachineStatus } from '../engine/checking/status';
import type { Run } from '../options';
import { say } from '../saying';

interface Flags {
  readonly exitCode?: true;
}

/** Declares `status`: what is live, and whether it still is what was placed. */
export function declareStatus(program: Command, run: Run): void {
  program
    .command('status')
    .summary('what is live, default and booted, and what drifted')
    .option('--exit-code', 'exit with 1 where anything is not as it was recorded')
    .action((flags: Flags) => run((context) => status(context, flags)));
}

async function status(context: Context, { exitCode }: Flags): Promise<number> {
  const found = await readMachineStatus(context);
  say(
    context,
    renderStatus(found, context.json ? 'json' : 'text', (time) => ageOf(context, time)),
  );
  return exitCode !== undefined && !isAsRecorded(found) ? 1 : 0;
}
