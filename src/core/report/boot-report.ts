import type { HookName } from '../hooks/hook';
import { nextSteps } from '../hooks/next';
import { type BootRecord, FALLBACK } from '../records/boot';
import { NO_TRIES } from '../status/next-boot';
import { displayName, escapeLine } from './text/display';

/** How many boots each generation on trial has left, by number. */
export type Tries = Readonly<Record<number, number>>;

/** What a trial has come to: `on trial: 2 tries left`; nothing for a generation that is not on trial. */
export function describeTrial(tries: number | undefined): string[] {
  if (tries === undefined) return [];
  return [tries === 0 ? 'no tries left' : `on trial: ${tries} ${tries === 1 ? 'try' : 'tries'} left`];
}

/** What the boot hook chose, and why, a line each. */
export function bootLines(boot: BootRecord | 'damaged' | undefined): string[] {
  if (boot === undefined || boot === 'damaged') return [];
  const { hook, wanted, chosen, why, passed, brought } = boot;
  const by = hook === FALLBACK ? 'a service, late' : `the ${displayName(hook)} hook`;
  const head =
    wanted === chosen
      ? `generation ${chosen}, as wanted, by ${by}`
      : `generation ${wanted} was wanted; ${by} chose ${chosen}`;
  return [
    `boot     ${head}${why === '' ? '' : `: ${escapeLine(why)}`}`,
    ...passed.map((each) => `  passed over ${each.generation}${each.why === '' ? '' : `: ${escapeLine(each.why)}`}`),
    ...(brought ? [`  /etc was brought to generation ${chosen} from another one`] : []),
  ];
}

/** What is to be done where the hook that is installed did not run in this boot. */
export function lateLines(boot: BootRecord | 'damaged' | undefined, hook: HookName): string[] {
  if (boot === undefined || boot === 'damaged' || boot.hook !== FALLBACK) return [];
  const steps = nextSteps(hook, 'install').map(({ what, command }) =>
    command === undefined ? what : `${what.slice(0, -1)}: \`${command.join(' ')}\`.`,
  );
  return [
    '  It did not run in this boot: what was read in /etc before the service ran was not there.',
    ...[...steps, 'Then reboot.'].map((step) => `  ${step}`),
  ];
}

/** What is to be done where the next boot will not show the default. */
export function passedOverLines(
  why: string | undefined,
  { next, instead }: { readonly next: number; readonly instead: number },
): string[] {
  if (why === undefined) return [];
  const mend = why === NO_TRIES ? `\`activate switch ${next}\` trusts it` : 'Mend that, or switch to its closure again';
  const giveUp = instead === 0 ? '' : `; \`activate boot ${instead}\` gives it up`;
  return [`The next boot passes over generation ${next}, the default: ${escapeLine(why)}.`, `${mend}${giveUp}.`];
}
