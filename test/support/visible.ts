import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';

/**
 * What programs see below /etc of the machine that they run on, or below a directory that is named, as one JSON object.
 *
 * Links of `activate`, and inside them links into the store, are looked through: such a path is described as the file or
 * directory that it leads to. Run in a namespace by `openMachine`.
 */
const seen: Record<string, string> = {};
const top = process.argv[2] ?? '';
look('/etc', /^\/run\/filesystem-overlay\//u);
process.stdout.write(JSON.stringify(seen));

function look(directory: string, ours: RegExp): void {
  for (const name of readdirSync(top + directory).toSorted()) {
    const path = `${directory}/${name}`;
    const linkText = lstatSync(top + path).isSymbolicLink() ? readlinkSync(top + path) : undefined;
    if (linkText !== undefined && !ours.test(linkText)) seen[path] = `symlink ${linkText}`;
    else describe(path, linkText === undefined ? ours : /^\/nix\/store\//u);
  }
}

function describe(path: string, ours: RegExp): void {
  const status = statSync(top + path, { throwIfNoEntry: false });
  if (status === undefined) {
    seen[path] = `dangling ${readlinkSync(top + path)}`;
    return;
  }
  const ownership = `${(status.mode & 0o7777).toString(8).padStart(4, '0')} ${status.uid}:${status.gid}`;
  if (status.isDirectory()) {
    seen[path] = `directory ${ownership}`;
    look(path, ours);
  } else {
    seen[path] = `file ${ownership} ${new Bun.CryptoHasher('sha256').update(readFileSync(top + path)).digest('hex')}`;
  }
}
