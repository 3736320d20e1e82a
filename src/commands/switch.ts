import type { Command } from 'commander';
import type { Context } from '../context';
import { exitStatuses } from '../core/errors';
import { renderSwitched } from '../core/report/outcome';
import { paintFor } from '../core/report/text/paint';
import { renderPreview, renderRemarks } from '../core/report/preview';
import type { Target } from '../engine/deciding/prepare';
import { previewTransition } from '../engine/previewing/preview';
import { switchTo } from '../engine/switching';
import type { Scope } from '../engine/transition/transition';
import {
  addAttitudeOptions,
  addCarrierOptions,
  addClosureOptions,
  addTrialOption,
  addWaitOption,
  type AttitudeFlags,
  type CarrierFlags,
  type ClosureFlags,
  parseNumber,
  type Run,
  targetOf,
  type TrialFlags,
} from '../options';
import { say } from '../saying';

type Flags = ClosureFlags & CarrierFlags & AttitudeFlags & TrialFlags & { readonly dryRun?: true };

interface Verb {
  readonly name: string;
  readonly scope: Scope;
  readonly summary: string;
  readonly example: string;
}

const verbs: readonly Verb[] = [
  {
    name: 'switch',
    scope: 'live and default',
    summary: 'show a closure now and from the next boot on',
    example: 'activate switch /nix/var/nix/profiles/system',
  },
  {
    name: 'test',
    scope: 'live',
    summary: 'show a closure now; the default for the next boot stays',
    example: 'activate test ./result',
  },
  {
    name: 'boot',
    scope: 'default',
    summary: 'show a closure from the next boot on, and change nothing now',
    example: 'activate boot ./result',
  },
];

/** Declares `switch`, `test` and `boot`, which differ in when the closure is shown. */
export function declareSwitch(program: Command, run: Run): void {
  for (const { name, scope, summary, example } of verbs) {
    const command = program
      .command(name)
      .summary(summary)
      .argument('<closure|generation>', 'a built system, or a number');
    addWaitOption(addAttitudeOptions(addCarrierOptions(addClosureOptions(command))));
    // What is not for the next boots needs no trial.
    if (scope !== 'live') addTrialOption(command);
    command
      .option('--dry-run', 'print what would change, and change nothing')
      .addHelpText('after', `\nExample:\n  ${example}`)
      .action((argument: string, flags: Flags) =>
        run((context) => move(context, targetOf(argument, flags), flags, scope)),
      );
  }
}

/** Declares `rollback`: a switch to an older generation. */
export function declareRollback(program: Command, run: Run): void {
  const command = program
    .command('rollback')
    .summary('go back to the generation before, or to the one named')
    .argument('[generation]', 'its number; 0 gives everything back to the machine', parseNumber);
  addWaitOption(addAttitudeOptions(command))
    .option('--dry-run', 'print what would change, and change nothing')
    .addHelpText('after', '\nExamples:\n  activate rollback\n  activate rollback 0')
    .action((number: number | undefined, flags: Flags) =>
      run((context) => move(context, olderGeneration(number), flags, 'live and default')),
    );
}

function olderGeneration(number: number | undefined): Target {
  return number === undefined ? { kind: 'previous' } : { kind: 'generation', number };
}

async function move(context: Context, target: Target, flags: Flags, scope: Scope): Promise<number> {
  if (flags.dryRun !== undefined) return preview(context, target, flags);
  const begun = context.elapsed();
  const outcome = await switchTo(context, target, scope, flags);
  const { stdout, stderr, status } = renderSwitched(outcome, context.elapsed() - begun, context.json ? 'json' : 'text');
  say(context, stdout);
  context.warn(stderr);
  return status;
}

async function preview(context: Context, target: Target, flags: Flags): Promise<number> {
  const { terminal } = context;
  const plan = await previewTransition(context, target, flags, { secrets: 'withheld' });
  context.write(
    renderPreview(plan, context.json ? 'json' : 'patch', { ...terminal, paint: paintFor(terminal.colour) }),
  );
  if (!context.json) context.warn(renderRemarks(plan));
  return plan.conflicts.length > 0 ? exitStatuses.CONFLICT : 0;
}
