import type { HookName } from '../../core/hooks/hook';
import { HOOKS_RECORD, type HooksRecord, parseHooksRecord } from '../../core/hooks/record';
import type { Machine } from '../state/machine';
import { readSealed } from '../state/records';

/** What `activate install` did; `undefined` where it did nothing. */
export function readHooksRecord(machine: Machine): HooksRecord | undefined {
  return readSealed(machine, HOOKS_RECORD, parseHooksRecord);
}

/** The hook that is installed. */
export function installedHook(machine: Machine): HookName | undefined {
  return readHooksRecord(machine)?.hook;
}
