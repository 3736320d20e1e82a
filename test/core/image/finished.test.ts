import { expect, test } from 'bun:test';
import type { Item } from '../../../src/core/closure/listing';
import type { Entry } from '../../../src/core/entry';
import { finishedEntries } from '../../../src/core/image/finished';
import type { TargetPath } from '../../../src/core/path';

const at = (path: string): TargetPath => path as TargetPath;
const plain = { mode: 0o644, uid: 0, gid: 0 };

test('entries get digests, sizes and modes from the image, which is the source of every copy', () => {
  const entries: Entry[] = [
    { path: at('/etc'), place: 'directory', kind: 'directory', named: false, ...plain, mode: 0o775 },
    { path: at('/etc/copy'), place: 'copy', kind: 'file', ...plain, sizeBytes: 0, digest: '', restyled: true },
    { path: at('/etc/direct'), place: 'direct', kind: 'symlink', linkText: 'x' },
    { path: at('/etc/link'), place: 'link', kind: 'file', ...plain, sizeBytes: 1, digest: '' },
    {
      path: at('/etc/store'),
      place: 'copy',
      kind: 'file',
      ...plain,
      sizeBytes: 2,
      digest: 's',
      source: '/s',
      restyled: true,
    },
    { path: at('/etc/whole'), place: 'link', kind: 'whole-directory', digest: '' },
  ];
  const items: Item[] = [
    { path: at('/etc/whole'), kind: 'directory', ...plain },
    { path: at('/etc/whole/a'), kind: 'file', ...plain, sizeBytes: 3 },
    { path: at('/etc/whole/b'), kind: 'symlink', linkText: 'a' },
    { path: at('/etc/whole-not'), kind: 'symlink', linkText: 'a' },
  ];
  const contents = new Map([
    [at('/etc/copy'), { digest: 'c', sizeBytes: 9 }],
    [at('/etc/link'), { digest: 'l', sizeBytes: 1 }],
    [at('/etc/whole/a'), { digest: 'a', sizeBytes: 3 }],
  ]);
  const modes = new Map([
    [at('/etc'), 0o755],
    [at('/etc/copy'), 0o600],
    [at('/etc/whole/a'), 0o604],
  ]);
  const finished = finishedEntries(entries, items, { contents, modes, digestOf: (text) => `digest of\n${text}` });
  expect(finished).toEqual([
    { path: at('/etc'), place: 'directory', kind: 'directory', named: false, ...plain, mode: 0o755 },
    {
      path: at('/etc/copy'),
      place: 'copy',
      kind: 'file',
      ...plain,
      mode: 0o600,
      sizeBytes: 9,
      digest: 'c',
      restyled: false,
    },
    { path: at('/etc/direct'), place: 'direct', kind: 'symlink', linkText: 'x' },
    { path: at('/etc/link'), place: 'link', kind: 'file', ...plain, sizeBytes: 1, digest: 'l' },
    {
      path: at('/etc/store'),
      place: 'copy',
      kind: 'file',
      ...plain,
      sizeBytes: 2,
      digest: 's',
      source: '/s',
      restyled: true,
    },
    {
      path: at('/etc/whole'),
      place: 'link',
      kind: 'whole-directory',
      digest:
        'digest of\n[{"path":"/etc/whole/a","kind":"file","mode":388,"uid":0,"gid":0,"sizeBytes":3},"a"]\n' +
        '{"path":"/etc/whole/b","kind":"symlink","linkText":"a"}',
    },
  ]);
});
