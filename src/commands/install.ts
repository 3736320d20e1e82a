import { type Command, Option } from 'commander';
import type { Context } from '../context';
import { ActivateError } from '../core/errors';
import { type HookName, initrdHooks } from '../core/hooks/hook';
import { renderInstalled, renderUninstalled } from '../core/report/install-report';
import { install, previewInstall, uninstall } from '../engine/hooks/installing';
import { addWaitOption, type Run } from '../options';
import { say } from '../saying';

interface Flags {
  readonly initrd?: (typeof initrdHooks)[number];
  readonly initWrapper?: true;
  readonly oneshot?: true;
  readonly rebuild?: true;
  readonly dryRun?: true;
}

/** Declares `install`: what shows the default generation when the machine boots. */
export function declareInstall(program: Command, run: Run): void {
  addWaitOption(program.command('install'))
    .summary('have the machine show the default generation when it boots')
    .addOption(new Option('--initrd <maker>', 'in the initrds that this makes').choices(initrdHooks))
    .option('--init-wrapper', 'by an init that starts the real one, where there is no initrd')
    .option('--oneshot', 'by a service early at boot, where neither can be had')
    .option('--rebuild', 'have the initrds made anew at once')
    .option('--dry-run', 'print what would be written and why, and write nothing')
    .addHelpText('after', '\nExamples:\n  activate install --dry-run\n  activate install --initrd dracut --rebuild')
    .action((flags: Flags) => run((context) => installCommand(context, flags)));
}

/** Declares `uninstall`: takes out what `install` put in. */
export function declareUninstall(program: Command, run: Run): void {
  addWaitOption(program.command('uninstall'))
    .summary('remove what install put on the machine')
    .option('--force', 'even while a generation is live or the default')
    .action(({ force }: { readonly force?: true }) => run((context) => uninstallCommand(context, force)));
}

async function installCommand(context: Context, flags: Flags): Promise<number> {
  const asked = hookOf(flags);
  const initrds = flags.rebuild === undefined ? 'leave' : 'rebuild';
  const outcome =
    flags.dryRun === undefined ? await install(context, { asked, initrds }) : await previewInstall(context, asked);
  say(context, renderInstalled(outcome, context.json ? 'json' : 'text'));
  return 0;
}

/** @throws {ActivateError} `USAGE` where two are asked for */
function hookOf({ initrd, initWrapper, oneshot }: Flags): HookName | undefined {
  const asked: HookName[] = [
    ...(initrd === undefined ? [] : [initrd]),
    ...(initWrapper === undefined ? [] : (['init'] as const)),
    ...(oneshot === undefined ? [] : (['oneshot'] as const)),
  ];
  if (asked.length > 1)
    throw new ActivateError('USAGE', 'a machine has one boot hook', {
      hint: 'Say one of --initrd, --init-wrapper and --oneshot, or none.',
    });
  return asked[0];
}

async function uninstallCommand(context: Context, force: true | undefined): Promise<number> {
  const outcome = await uninstall(context, force === undefined ? 'refuse' : 'allow');
  say(context, renderUninstalled(outcome, context.json ? 'json' : 'text'));
  return 0;
}
