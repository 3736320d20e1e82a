import type { Command } from 'commander';
import type { Context } from '../context';
import { displayName } from '../core/report/display';
import { plural } from '../core/report/report';
import { generate } from '../engine/closure/bundle';
import { addClosureOptions, type ClosureFlags, type Run } from '../options';

type Flags = ClosureFlags & { readonly output: string; readonly location?: string };

/** Declares `generate`: what a closure needs to be shown without `activate`. */
export function declareGenerate(program: Command, run: Run): void {
  const command = program
    .command('generate')
    .summary('write a bundle: manifest, tmpfiles.d snippet, overlay; needs no root')
    .argument('<closure>', 'a built system')
    .requiredOption('--output <directory>', 'an empty directory, or one to make');
  addClosureOptions(command)
    .option(
      '--location <directory>',
      'where the bundle will lie on the machine that shows it (default: the output directory)',
    )
    .addHelpText('after', '\nExample:\n  activate generate ./result --output bundle')
    .action((closure: string, flags: Flags) => run((context) => writeBundle(context, closure, flags)));
}

async function writeBundle(context: Context, closure: string, flags: Flags): Promise<number> {
  const bundle = await generate(context, closure, { ...flags, location: flags.location });
  context.write(
    context.json
      ? `${JSON.stringify({ schema: 1, ...bundle })}\n`
      : `${displayName(bundle.output)}: ${plural(bundle.paths, 'path')}, shown through ${displayName(bundle.overlay)}\n`,
  );
  return 0;
}
