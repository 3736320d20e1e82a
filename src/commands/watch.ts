import { type Command, Option } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { paintFor } from '../core/report/text/paint';
import { renderPreview, renderRemarks } from '../core/report/preview';
import { eventToJson, logEntries, type WatchEvent } from '../core/watching/event';
import { watchMachine } from '../engine/watching/watching';
import { addWaitOption, type Run } from '../options';

interface Flags {
  readonly repair?: true;
  readonly follow?: string;
  readonly switch?: true;
  readonly nameStatus?: true;
}

/** Declares `watch`: says what drifts as it happens, and follows where new closures come. */
export function declareWatch(program: Command, run: Run): void {
  const command = program
    .command('watch')
    .summary('say what drifts as it happens, until it is ended; for a service')
    .option('--repair', 'put drift right, each path at most once a minute')
    .option('--follow <link>', 'a link to closures, or a directory of bundles: print what each new one would change')
    .option('--switch', 'with --follow: switch to each new closure')
    .addOption(
      new Option('--name-status', 'with --follow: a letter and the path, instead of changed lines').conflicts('switch'),
    );
  addWaitOption(command)
    .addHelpText(
      'after',
      '\nWith --json it prints an object a line, as things happen.\n\nExamples:\n  activate watch --repair\n  activate watch --follow /nix/var/nix/profiles/system --switch',
    )
    .action((flags: Flags) => run((context) => watch(context, flags)));
}

async function watch(context: Context, flags: Flags): Promise<number> {
  if (flags.follow === undefined && (flags.switch !== undefined || flags.nameStatus !== undefined)) {
    throw new ActivateError('USAGE', '--switch and --name-status are for what is followed', {
      hint: 'Name a link or directory with --follow.',
    });
  }
  const options = {
    onDrift: flags.repair === undefined ? 'report' : 'repair',
    onClosure: flags.switch === undefined ? 'diff' : 'switch',
    ...(flags.follow === undefined ? {} : { follow: flags.follow }),
  } as const;
  await watchMachine(context, options, (event, time) => say({ context, flags }, event, time));
  return 0;
}

interface Output {
  readonly context: Context;
  readonly flags: Flags;
}

function say({ context, flags }: Output, event: WatchEvent, time: string): void {
  if (context.json) {
    context.write(`${JSON.stringify(eventToJson(event, time))}\n`);
    return;
  }
  for (const { level, message, fields } of logEntries(event)) context.log[level](message, fields);
  if (event.event !== 'new closure') return;
  const { terminal } = context;
  const form = flags.nameStatus === undefined ? 'stat' : 'name-status';
  context.write(renderPreview(event.preview, form, { ...terminal, paint: paintFor(terminal.colour) }));
  context.warn(renderRemarks(event.preview));
}
