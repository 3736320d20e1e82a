import { type Command, Option } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { paintFor } from '../core/report/text/paint';
import { type Preview, type PreviewForm, renderPreview, renderRemarks } from '../core/report/preview';
import { compareTargets } from '../engine/previewing/comparing';
import { makingOf, writePage } from '../engine/previewing/page';
import { previewTransition } from '../engine/previewing/preview';
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
    readonly html?: string;
    readonly exitCode?: true;
    readonly showSecrets?: true;
  };

/** Declares `diff`: the plan of a switch, printed and not carried out. */
export function declareDiff(program: Command, run: Run): void {
  const command = program
    .command('diff')
    .summary('what a switch would change')
    .argument('[closure|generation]', 'a built system, or a number; what the next boot shows without it')
    .argument('[other]', 'compares the two, whatever this machine shows; 0 is nothing managed');
  addAttitudeOptions(addClosureOptions(command))
    .addOption(new Option('--stat', 'changed lines for each path').conflicts(['nameStatus', 'html']))
    .addOption(new Option('--name-status', 'a letter (A M D T), a tab and the path').conflicts('html'))
    .option('--html <file>', 'write a page for a browser, to look at or to attach; - for standard output')
    .option('--exit-code', 'exit with 1 where anything would change')
    .option('--show-secrets', 'show the content of files that not everyone may read')
    .addHelpText(
      'after',
      [
        '\nExamples:',
        '  activate diff ./result',
        '  activate diff --stat 3',
        '  activate diff 3 ./result',
        '  activate diff --html change.html ./result',
      ].join('\n'),
    )
    .action((argument: string | undefined, other: string | undefined, flags: Flags) =>
      run((context) => diff(context, [argument, other], flags)),
    );
}

type Arguments = readonly [argument: string | undefined, other: string | undefined];

async function diff(context: Context, given: Arguments, flags: Flags): Promise<number> {
  const { terminal, json } = context;
  if (json && flags.html === '-')
    throw new ActivateError('USAGE', 'standard output cannot be both a page and a JSON document', {
      hint: 'Name a file with --html.',
    });
  const preview = await previewGiven(context, given, flags);
  if (flags.html === undefined || json)
    context.write(renderPreview(preview, formOf(flags, json), { ...terminal, paint: paintFor(terminal.colour) }));
  if (flags.html !== undefined) await printPage(context, preview, flags.html, flags);
  if (!json) context.warn(renderRemarks(preview));
  const differs = preview.changes.length > 0 || preview.touched > 0 || preview.conflicts.length > 0;
  return flags.exitCode !== undefined && differs ? 1 : 0;
}

function previewGiven(context: Context, [argument, other]: Arguments, flags: Flags): Promise<Preview> {
  const options = { secrets: flags.showSecrets === undefined ? 'withheld' : 'shown' } as const;
  if (argument === undefined) return previewTransition(context, { kind: 'default' }, flags, options);
  const target = targetOf(argument, flags);
  if (other === undefined) return previewTransition(context, target, flags, options);
  return compareTargets(context, { from: target, to: targetOf(other, flags) }, flags, options);
}

/** What makes pages is loaded for them alone. */
async function printPage(context: Context, preview: Preview, file: string, flags: Flags): Promise<void> {
  const { renderPage } = await import('../core/page/page');
  const page = renderPage(preview, makingOf(context));
  if (file === '-') context.write([...page].join(''));
  else writePage(context, file, page, flags.showSecrets === undefined ? 'everyone' : 'owner');
}

function formOf({ stat, nameStatus }: Flags, json: boolean): PreviewForm {
  if (json) return 'json';
  if (stat !== undefined) return 'stat';
  return nameStatus === undefined ? 'patch' : 'name-status';
}
