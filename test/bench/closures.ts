import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The shape of a synthetic NixOS closure. */
export interface Shape {
  /** How many entries it has. */
  readonly entries: number;
  /** Which share of them are copies, with sidecars. */
  readonly copies: number;
}

/**
 * Writes a NixOS-shaped closure into a store directory, and a second one in which some entries differ: most of those show
 * other content, one in ten is new, one in ten is gone.
 *
 * @returns the paths of both, as the machine whose store that is sees them
 */
export function writeClosures(
  store: string,
  { entries, copies }: Shape,
  changed: number,
): { first: string; second: string } {
  const every = Math.max(1, Math.round(1 / copies));
  const changeEvery = Math.max(1, Math.round(1 / changed));
  for (const [version, name] of [
    ['1', 'first'],
    ['2', 'second'],
  ] as const) {
    const top = join(store, `${name.padEnd(32, '0')}-etc`);
    rmSync(top, { recursive: true, force: true });
    for (let index = 0; index < entries; index += 1) {
      const isChanged = index % changeEvery === 0;
      const turn = (index / changeEvery) % 10;
      // In the second closure one changed entry in ten has another name: the old one is gone, a new one is there.
      const suffix = isChanged && turn === 3 ? version : '0';
      const isCopy = index % every === 7 % every;
      writeEntry(store, top, { index, suffix, content: isChanged ? version : '0', isCopy });
    }
  }
  return { first: `/nix/store/${'first'.padEnd(32, '0')}-etc`, second: `/nix/store/${'second'.padEnd(32, '0')}-etc` };
}

interface Item {
  readonly index: number;
  readonly suffix: string;
  readonly content: string;
  readonly isCopy: boolean;
}

function writeEntry(store: string, top: string, { index, suffix, content, isCopy }: Item): void {
  const path = join(top, 'etc', `section-${index % 300}`, `entry-${index}-${suffix}.conf`);
  if (index < 300) mkdirSync(dirname(path), { recursive: true });
  const file = `${String(index).padStart(32, 'f')}-entry-${content}`;
  writeFileSync(join(store, file), `# entry ${index}\ncontent = ${content}\n`);
  symlinkSync(`/nix/store/${file}`, path);
  if (!isCopy) return;
  writeFileSync(`${path}.mode`, '0440\n');
  writeFileSync(`${path}.uid`, '+0\n');
  writeFileSync(`${path}.gid`, '+0\n');
}
