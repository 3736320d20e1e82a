import { type Command, Option } from 'commander';
import type { Context } from '../context';
import { paintFor } from '../core/report/paint';
import { type PreviewForm, renderPreview, renderRemarks } from '../core/report/preview';
import type { Target } from '../engine/prepare';
import { previewTransition } from '../engine/preview';
import {
  addAttitudeOptions,
  addClosureOptions,
  type AttitudeFlags,
  type ClosureFlags,
  type Run,
  targetOf,
} from '../options';

type Flags = ClosureFlags &
  AttitudeFlags & {
    readonly stat?: true;
    readonly nameStatus?: true;
    readonly exitCode?: true;
    readonly showSecrets?: true;
  };

/** Declares `diff`: the plan of a switch, printed and not carried out. */
export function declareDiff(program: Command, run: Run): void {
  const command = program
    .command('diff')
    .summary('what a switch would change')
    .argument('[closure|generation]', 'a built system, or a number; what the next boot shows without it');
  addAttitudeOptions(addClosureOptions(command))
    .addOption(new Option('--stat', 'changed lines for each path').conflicts('nameStatus'))
    .option('--name-status', 'a letter (A M D T), a tab and the path')
    .option('--exit-code', 'exit with 1 where anything would change')
    .option('--show-secrets', 'show the content of files that not everyone may read')
    .addHelpText('after', '\nExamples:\n  activate diff ./result\n  activate diff --stat 3')
    .action((argument: string | undefined, flags: Flags) => run((context) => diff(context, argument, flags)));
}

async function diff(context: Context, argument: string | undefined, flags: Flags): Promise<number> {
  const target: Target = argument === undefined ? { kind: 'default' } : targetOf(argument, flags);
  const secrets = flags.showSecrets === undefined ? 'withheld' : 'shown';
  const preview = await previewTransition(context, target, flags, { secrets });
  const { terminal, json } = context;
  context.write(renderPreview(preview, formOf(flags, json), { ...terminal, paint: paintFor(terminal.colour) }));
  if (!json) context.warn(renderRemarks(preview));
  const differs = preview.changes.length > 0 || preview.touched > 0 || preview.conflicts.length > 0;
  return flags.exitCode !== undefined && differs ? 1 : 0;
}

function formOf({ stat, nameStatus }: Flags, json: boolean): PreviewForm {
  if (json) return 'json';
  if (stat !== undefined) return 'stat';
  return nameStatus === undefined ? 'patch' : 'name-status';
}
