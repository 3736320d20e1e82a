import type { Sandbox } from './sandbox';
import { type Seen, takeSnapshot } from './snapshot';

/** What programs in the sandbox see below /etc: links of ours are looked through. */
export function lookBelowEtc(sandbox: Sandbox): Map<string, string> {
  const pointer = takeSnapshot(sandbox.on('/run')).find(({ path }) => path === '/filesystem-overlay');
  const content = pointer === undefined ? [] : takeSnapshot(sandbox.on(`${pointer.linkText}/etc`));
  const overlay = new Map(content.map((seen) => [seen.path, seen]));
  const visible = takeSnapshot(sandbox.on('/etc')).map((seen): [string, string] => {
    const isOurs = seen.linkText?.startsWith('/run/filesystem-overlay/') === true;
    return [seen.path, describeSeen((isOurs ? overlay.get(seen.path) : undefined) ?? seen)];
  });
  return new Map(visible);
}

function describeSeen({ kind, mode, uid, gid, linkText, sha256 }: Seen): string {
  return JSON.stringify([kind, kind === 'symlink' ? linkText : [mode, uid, gid], sha256]);
}

/** The differences between two looks, as `diff --name-status` has them. */
export function differencesBetween(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string {
  const paths = [...new Set([...before.keys(), ...after.keys()])].toSorted();
  return paths
    .flatMap((path) => {
      const [was, is] = [before.get(path), after.get(path)];
      if (was === is) return [];
      const kinds = [was, is].map((text) => (text === undefined ? undefined : (JSON.parse(text) as string[])[0]));
      const letter = was === undefined ? 'A' : is === undefined ? 'D' : kinds[0] === kinds[1] ? 'M' : 'T';
      return [`${letter}\t/etc${path}\n`];
    })
    .join('');
}
