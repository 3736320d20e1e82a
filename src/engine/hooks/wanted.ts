import type { AddonMember } from '../../core/boot/archive';
import { isOfClosure } from '../../core/boot/initrd';
import { ActivateError } from '../../core/errors';
import { hostPath } from '../../core/path';
import { generationDirectory } from '../../core/records/generation';
import { readGeneration, readState } from '../state/generations';
import { readAddon } from '../initrd/addon';
import type { Machine } from '../state/machine';

/** What the closure of the default generation wants in an initrd. */
export interface WantedInitrd {
  readonly closure: readonly AddonMember[];
  readonly modules: readonly string[];
  readonly digest: string | undefined;
}

const nothing: WantedInitrd = { closure: [], modules: [], digest: undefined };

/**
 * Reads what an initrd has to have besides the hook, for the generation that it is to show.
 *
 * @throws {ActivateError} `STATE` where its add-on is damaged
 */
export function readWantedInitrd(machine: Machine): WantedInitrd {
  const { default: number } = readState(machine);
  const generation = number === 0 ? undefined : readGeneration(machine, number, 'default');
  if (generation?.addon === undefined) return nothing;
  const directory = generationDirectory(number);
  const members = readAddon(machine.root, directory, generation.addon);
  if (members === undefined)
    throw new ActivateError('STATE', 'the add-on of the generation is damaged', {
      path: hostPath(machine.root.path, directory),
      hint: 'Switch to its closure again.',
    });
  const { modules = [], digest } = generation.initrd ?? {};
  return { closure: members.filter(({ path }) => isOfClosure(path)), modules, digest };
}
