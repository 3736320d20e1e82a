import { writeFileSync, mkdirSync, chmodSync } from 'node:fs';
import { changeMode, changeOwner, makeDirectory, makeSymlink } from '../../../src/system/tree/changing';
import { canWriteDirectory, readFile, readStatus } from '../../../src/system/tree/reading';
import { openRoot } from '../../../src/system/tree/rooted';
import { describeErrno } from '../../../src/system/syscalls/libc';
import { ActivateError } from '../../../src/core/errors';
import { at, failureOf } from '../temporary-root';

// What a user meets who is not root. Everything is loaded before the change of user, who may not reach these files.
process.umask(0o022);
const path = process.argv[2] ?? '';
const root = openRoot(path);
chmodSync(path, 0o755);
mkdirSync(`${path}/theirs`);
mkdirSync(`${path}/closed`, 0o700);
writeFileSync(`${path}/secret`, '', { mode: 0o600 });
mkdirSync(`${path}/own`);
changeOwner(root, at('/own'), 65534, 65534);
describeErrno(1);
process.setgroups?.([]);
process.setgid?.(65534);
process.setuid?.(65534);

function hintOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    if (error instanceof ActivateError) return error.hint;
    throw error;
  }
  return undefined;
}

makeDirectory(root, at('/own/directory'), 0o2770);
console.log(
  JSON.stringify({
    link: failureOf(() => makeSymlink(root, at('/theirs/link'), 'x')),
    hint: hintOf(() => makeSymlink(root, at('/theirs/link'), 'x')),
    mode: failureOf(() => changeMode(root, at('/theirs'), 0o777)),
    file: failureOf(() => readFile(root, at('/secret'))),
    closed: failureOf(() => readStatus(root, at('/closed/x'))),
    answers: ['/theirs', '/own'].map((each) => canWriteDirectory(root, at(each))),
    own: readStatus(root, at('/own/directory'))?.mode.toString(8),
  }),
);
