import { displayName } from './text/display';
import { plural } from './report';

/** A transition that ended, as the journal of the system keeps it. */
export interface Ended {
  readonly outcome:
    | 'switched'
    | 'default changed'
    | 'failed and undone'
    | 'undone'
    | 'finished'
    | 'settled'
    | 'restored';
  readonly from: number;
  readonly to: number;
  /** What was switched to, as the user named it; `undefined` for generation 0 and where it is not known. */
  readonly closure: string | undefined;
  /** How many paths look or show something else now. */
  readonly changed: number;
  /** How many backups were made. */
  readonly backups: number;
}

/** The same for every transition, so that `journalctl MESSAGE_ID=` finds them all. */
const MESSAGE_ID = 'b7d0f1e24c5a4e0f9b3a6d8c1e2f7a45';

/** Says what changed /etc, from what to what; the content of files is never in it. */
export function journalEntry(ended: Ended): Record<string, string> {
  const { outcome, from, to, closure, changed, backups } = ended;
  return {
    MESSAGE: messageOf(ended),
    MESSAGE_ID,
    PRIORITY: outcome === 'failed and undone' ? '3' : '5',
    SYSLOG_IDENTIFIER: 'activate',
    ACTIVATE_OUTCOME: outcome,
    ACTIVATE_FROM: String(from),
    ACTIVATE_TO: String(to),
    ...(closure === undefined ? {} : { ACTIVATE_CLOSURE: displayName(closure) }),
    ACTIVATE_CHANGED: String(changed),
    ACTIVATE_BACKUPS: String(backups),
  };
}

function messageOf({ outcome, from, to, closure, changed }: Ended): string {
  const what = closure === undefined ? '' : ` (${displayName(closure)})`;
  switch (outcome) {
    case 'switched':
      return `/etc went from generation ${from} to ${to}${what}: ${plural(changed, 'path')} changed`;
    case 'default changed':
      return `the next boot shows generation ${to}${what}; generation ${from} stays live`;
    case 'failed and undone':
      return `the transition from generation ${from} to ${to}${what} failed and was undone`;
    case 'undone':
      return `the interrupted transition from generation ${from} to ${to}${what} was undone`;
    case 'finished':
      return `the interrupted transition from generation ${from} to ${to}${what} was finished`;
    case 'settled':
      return `the boot showed generation ${to}${what} in place of ${from}`;
    case 'restored':
      return `a backup was restored in generation ${to}`;
  }
}
