import { type Command, Option } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { type ImageKind, imageKinds } from '../core/records/overlay';
import { displayName } from '../core/report/text/display';
import { plural } from '../core/report/report';
import { type Bundle, generate } from '../engine/closure/bundle';
import { addClosureOptions, type ClosureFlags, type Run } from '../options';
import { say } from '../saying';

type Flags = ClosureFlags & {
  readonly output: string;
  readonly location?: string;
  readonly image?: ImageKind;
  readonly keepLinks?: boolean;
};

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
    .addOption(
      new Option('--image <filesystem>', 'one read-only image that holds every file, instead of a tree').choices(
        imageKinds,
      ),
    )
    .option('--keep-links', 'links into a store stay in the image, which then needs that store')
    .addHelpText(
      'after',
      '\nExamples:\n  activate generate ./result --output bundle\n  activate generate ./result --output bundle --image squashfs',
    )
    .action((closure: string, flags: Flags) => run((context) => writeBundle(context, closure, flags)));
}

async function writeBundle(context: Context, closure: string, flags: Flags): Promise<number> {
  const { location, image, keepLinks } = flags;
  if (keepLinks === true && image === undefined)
    throw new ActivateError('USAGE', '--keep-links is about images', {
      hint: 'Give --image squashfs or erofs as well.',
    });
  const storeLinks = keepLinks === true ? 'keep' : 'dereference';
  const bundle = await generate(context, closure, { ...flags, location, image, storeLinks });
  say(context, context.json ? `${JSON.stringify({ schema: 1, ...bundle })}\n` : describe(bundle));
  return 0;
}

function describe({ output, paths, overlay, carrier }: Bundle): string {
  const size = 'sizeBytes' in carrier ? `, ${carrier.kind} of ${carrier.sizeBytes} bytes` : '';
  return `${displayName(output)}: ${plural(paths, 'path')}${size}, shown through ${displayName(overlay)}\n`;
}
