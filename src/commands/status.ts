import type { Command } from 'commander';
import type { Context } from '../context';
import { renderStatus } from '../core/report/generations-report';
import { readMachineStatus } from '../engine/status';
import type { Run } from '../options';

/** Declares `status`: what is live, and whether it still is what was placed. */
export function declareStatus(program: Command, run: Run): void {
  program
    .command('status')
    .summary('what is live, default and booted, and what drifted')
    .action(() => run(status));
}

async function status(context: Context): Promise<number> {
  context.write(renderStatus(await readMachineStatus(context), context.json ? 'json' : 'text'));
  return 0;
}
