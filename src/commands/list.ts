import type { Command } from 'commander';
import type { Context } from '../context';
import { renderGenerations } from '../core/report/generations-report';
import { listGenerations } from '../engine/collecting';
import type { Run } from '../options';
import { say } from '../saying';

/** Declares `list`: the generations and which of them is what. */
export function declareList(program: Command, run: Run): void {
  program
    .command('list')
    .summary('the generations')
    .action(() => run(list));
}

async function list(context: Context): Promise<number> {
  const { state, ...listed } = await listGenerations(context);
  say(context, renderGenerations(listed, state, context.json ? 'json' : 'text'));
  return 0;
}
