import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt } from '../failure';
import { closeRoot, openRoot, type Root } from '../tree/rooted';

/** Gives a task an empty directory that is this user's alone, and removes it afterwards with all that is in it. */
export function withScratch<Result>(task: (scratch: Root) => Result): Result {
  const path = attempt('make a directory', tmpdir(), () => mkdtempSync(join(tmpdir(), 'activate-')));
  try {
    const root = openRoot(path);
    try {
      return task(root);
    } finally {
      closeRoot(root);
    }
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}
