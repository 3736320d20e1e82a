import type { Command } from 'commander';
import type { Context } from '../context';
import { resume } from '../engine/switching';
import { addWaitOption, type Run } from '../options';
import { say } from '../saying';

/** Declares `resume`: finishes or undoes what a crash interrupted. */
export function declareResume(program: Command, run: Run): void {
  addWaitOption(program.command('resume').summary('finish or undo what a crash interrupted')).action(() =>
    run(resumeCommand),
  );
}

async function resumeCommand(context: Context): Promise<number> {
  const resumed = await resume(context);
  const text =
    resumed.state === 'nothing to do'
      ? 'Nothing was interrupted; nothing to do.'
      : resumed.state === 'settled'
        ? `The boot brought generation ${resumed.to} in place of ${resumed.from}; that is recorded now, and generation ${resumed.live} is live.`
        : `The transition from generation ${resumed.from} to ${resumed.to} was ${resumed.state}; generation ${resumed.live} is live.`;
  say(context, context.json ? `${JSON.stringify({ schema: 1, ...resumed })}\n` : `${text}\n`);
  return 0;
}
