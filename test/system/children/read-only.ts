import { makeDirectory, makeSymlink } from '../../../src/system/tree/changing';
import { canWriteDirectory } from '../../../src/system/tree/reading';
import { openRoot } from '../../../src/system/tree/rooted';
import { at, failureOf, run } from '../temporary-root';

const path = process.argv[2] ?? '';
run('mount', '-t', 'tmpfs', 'none', path);
const root = openRoot(path);
makeDirectory(root, at('/directory'), 0o755);
run('mount', '-o', 'remount,ro', path);
const answer = canWriteDirectory(root, at('/directory'));
console.log(JSON.stringify({ answer, failure: failureOf(() => makeSymlink(root, at('/directory/link'), 'x')) }));
