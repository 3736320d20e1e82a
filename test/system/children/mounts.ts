import { mkdirSync, writeFileSync } from 'node:fs';
import { readMounts } from '../../../src/system/mounts/mounts';
import { listDirectory, readStatus } from '../../../src/system/tree/reading';
import { removeTree } from '../../../src/system/tree/removing';
import { openRoot } from '../../../src/system/tree/rooted';
import { openInOneCall, openStepByStep } from '../../../src/system/syscalls/beneath';
import { open } from '../../../src/system/syscalls/files';
import { at, failureOf, run } from '../temporary-root';

// A bind mount of a directory and one of a file, both of the same filesystem, deep in a tree that is to be removed.
const path = process.argv[2] ?? '';
const root = openRoot(path);
const hostile = 'a b\\c\td\ne#ä';
for (const name of ['outside', `tree/${hostile}`, 'tree/plain', 'covered'])
  mkdirSync(`${path}/${name}`, { recursive: true });
for (const name of ['outside/precious', 'tree/file', 'tree/plain/file']) writeFileSync(`${path}/${name}`, '');

run('mount', '--bind', `${path}/outside`, `${path}/tree/${hostile}`);
const directory = failureOf(() => removeTree(root, at('/tree')));
const itself = failureOf(() => removeTree(root, at(`/tree/${hostile}`)));
const listed = readMounts()
  ?.filter(({ path: each }) => each.includes(hostile))
  .map(({ path: each, readOnly }) => [each, readOnly]);
const mountRoot = readStatus(root, at(`/tree/${hostile}`))?.mountRoot;
const crossing = [openInOneCall, openStepByStep].map((openBeneath) => [
  openBeneath(root.fd, `tree/${hostile}`, open.handle, 'stay'),
  openBeneath(root.fd, `tree/${hostile}/precious`, open.handle, 'stay'),
  openBeneath(root.fd, `tree/${hostile}/precious`, open.handle, 'cross mounts') > 0,
  openBeneath(root.fd, 'tree/plain', open.handle, 'stay') > 0,
]);
run('umount', '--lazy', `${path}/tree/${hostile}`);

run('mount', '--bind', `${path}/outside/precious`, `${path}/tree/file`);
const file = failureOf(() => removeTree(root, at('/tree')));
run('umount', '--lazy', `${path}/tree/file`);

run('mount', '-t', 'tmpfs', 'none', `${path}/covered`);
run('mount', '-t', 'ramfs', '-o', 'ro', 'none', `${path}/covered`);
const covered = readMounts()
  ?.filter(({ path: each }) => each === `${path}/covered`)
  .map(({ filesystem, readOnly }) => [filesystem, readOnly]);

const left = ['/tree', '/tree/plain', '/outside'].map((each) =>
  listDirectory(root, at(each))
    .map(({ name }) => name)
    .sort(),
);
console.log(JSON.stringify({ directory, itself, listed, mountRoot, crossing, file, covered, left }));
