import { chmodSync, lchownSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { carry, rootedAt } from './overlay';
import type { Sandbox } from './sandbox';
import { bytesOf } from './trees';

/** Text is a file of mode 0644 that root owns. */
export type Content =
  | string
  | { readonly link: string }
  | { readonly directory: number; readonly uid?: number }
  | { readonly file: string; readonly mode?: number; readonly uid?: number; readonly gid?: number };

/** What is at each path, e.g. `etc/hosts`; lone surrogates stand for bytes that are not UTF-8. */
export type Contents = Readonly<Record<string, Content>>;

/** Writes files, links and directories below a directory, which is made. */
export function writeContents(directory: string, contents: Contents): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(contents)) {
    makeParents(directory, name);
    write(bytesOf(`${directory}/${name}`), content);
  }
}

/** Writes a closure below the sandbox's root, and returns its path on this machine. */
export function writeClosure(sandbox: Sandbox, name: string, contents: Contents): string {
  const closure = sandbox.on(`/closures/${name}`);
  mkdirSync(`${closure}/etc`, { recursive: true });
  writeContents(closure, contents);
  // What tests put into a store is there before they look at what a command writes.
  carry(closure, rootedAt(sandbox.root, '/'));
  return closure;
}

/** One by one: what makes several at once knows no names that are not UTF-8. */
function makeParents(directory: string, name: string): void {
  for (let slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1)) {
    const path = bytesOf(`${directory}/${name.slice(0, slash)}`);
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) mkdirSync(path);
  }
}

function write(path: Buffer, content: Content): void {
  if (typeof content === 'string') {
    writeFileSync(path, content);
    chmodSync(path, 0o644);
  } else if ('link' in content) {
    symlinkSync(bytesOf(content.link), path);
  } else if ('directory' in content) {
    mkdirSync(path, { recursive: true });
    lchownSync(path, content.uid ?? 0, 0);
    chmodSync(path, content.directory);
  } else {
    writeFileSync(path, content.file);
    lchownSync(path, content.uid ?? 0, content.gid ?? 0);
    chmodSync(path, content.mode ?? 0o644);
  }
}
