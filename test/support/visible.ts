import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/**
 * What programs see below /etc of the machine that they run on, as one JSON object by path.
 *
 * Links of `activate`, and inside them links into the store, are looked through: such a path is described as the file or
 * directory that it leads to. Run in a namespace of its own by `openMachine`.
 */
const seen: Record<string, string> = {};
look('/etc', /^\/run\/filesystem-overlay\//u);
process.stdout.write(JSON.stringify(seen));

function look(directory: string, ours: RegExp): void {
  for (const name of readdirSync(directory).toSorted()) {
    const path = `${directory}/${name}`;
    const linkText = lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined;
    if (linkText !== undefined && !ours.test(linkText)) seen[path] = `symlink ${linkText}`;
    else describe(path, linkText === undefined ? ours : /^\/nix\/store\//u);
  }
}

function describe(path: string, ours: RegExp): void {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) {
    seen[path] = `dangling ${readlinkSync(path)}`;
    return;
  }
  const ownership = `${(status.mode & 0o7777).toString(8).padStart(4, '0')} ${status.uid}:${status.gid}`;
  if (status.isDirectory()) {
    seen[path] = `directory ${ownership}`;
    look(path, ours);
  } else {
    seen[path] = `file ${ownership} ${new Bun.CryptoHasher('sha256').update(readFileSync(path)).digest('hex')}`;
  }
}
