import { renamePath } from '../../../src/system/tree/changing';
import { createFile } from '../../../src/system/tree/copying';
import { listDirectory, readFile } from '../../../src/system/tree/reading';
import { readRecord, writeRecord } from '../../../src/system/tree/records';
import { openRoot } from '../../../src/system/tree/rooted';
import { at, failureOf, run } from '../temporary-root';

// A filesystem of 64 KiB: what does not fit must leave no trace, and the old record.
const path = process.argv[2] ?? '';
const root = openRoot(path);
run('mkdir', `${path}/small`);
run('mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', `${path}/small`);
const large = new Uint8Array(1024 * 1024);
writeRecord(root, at('/small/record'), [Uint8Array.of(65)]);
createFile(root, at('/file'), { mode: 0o644 }, Uint8Array.of(66));
console.log(
  JSON.stringify({
    file: failureOf(() => createFile(root, at('/small/file'), { mode: 0o644 }, large)),
    record: failureOf(() => writeRecord(root, at('/small/record'), [large])),
    other: failureOf(() => renamePath(root, at('/file'), at('/small/file'))),
    left: listDirectory(root, at('/small')).map(({ name }) => name),
    recorded: [...(readRecord(root, at('/small/record')) ?? [])],
    kept: [...readFile(root, at('/file'))],
  }),
);
