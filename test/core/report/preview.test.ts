import { describe, expect, test } from 'bun:test';
import { type Preview, renderPreview, renderRemarks } from '../../../src/core/report/preview';
import { paintFor } from '../../../src/core/report/text/paint';
import { absent, change, file } from '../../support/changes';
import { foundFile, path } from '../../support/entries';

describe('a preview', () => {
  const preview: Preview = {
    from: 1,
    to: 2,
    closures: { from: '/closures/a', to: '/closures/b' },
    changes: [change('/etc/a', absent, file('\u0007x\n'))],
    conflicts: [{ path: path('/etc/b'), reason: 'unmanaged', found: foundFile() }],
    unread: [{ path: path('/etc/c'), why: 'no permission' }],
    kept: [path('/etc/d')],
    touched: 4,
  };
  const screen = { paint: paintFor('never'), columns: 80, isTerminal: false };

  test('is a patch, as bytes or for a terminal', () => {
    expect(renderPreview(preview, 'patch', screen)).toEndWith('@@ -0,0 +1 @@\n+\u0007x\n');
    expect(renderPreview(preview, 'patch', { ...screen, isTerminal: true })).toEndWith('@@ -0,0 +1 @@\n+^Gx\n');
  });

  test('is a line for each path', () => {
    expect(renderPreview(preview, 'name-status', screen)).toBe('A\t/etc/a\n');
    expect(renderPreview(preview, 'stat', screen)).toBe(' etc/a | 1 +\n 1 path changed, 1 insertion(+)\n');
  });

  test('is a document', () => {
    expect(JSON.parse(renderPreview(preview, 'json', screen))).toMatchObject({
      schema: 1,
      from: 1,
      to: 2,
      kept: ['/etc/d'],
      unread: preview.unread,
      touched: 4,
      changes: [{ path: '/etc/a', status: 'A' }],
      conflicts: [{ path: '/etc/b', reason: 'unmanaged' }],
    });
  });

  test('has beside it what is in the way, what stays, and what could not be read', () => {
    expect(renderRemarks(preview)).toBe(
      [
        "conflict: /etc/b: a file of the machine's is there",
        '1 conflict: a switch would change nothing.',
        '--on-conflict backup  takes these over; the originals come back when the paths are given up',
        "--on-conflict keep    leaves the machine's in place",
        "kept: /etc/d: the machine's own stays",
        'not read: /etc/c: no permission',
        '3 paths with the same content as now, from another place.',
        '',
      ].join('\n'),
    );
    expect(
      renderRemarks({
        ...preview,
        conflicts: [],
        unread: [],
        kept: [],
        touched: 1,
      }),
    ).toBe('');
  });
});
