import { expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { displayWidth } from '../../../../src/core/report/text/display';
import { renderProgress } from '../../../../src/core/report/text/progress';

test.each([
  [0, '[>         ]   0 %'],
  [1, '[>         ]   1 %'],
  [50, '[=====>    ]  50 %'],
  [99, '[=========>]  99 %'],
  [100, '[==========] 100 %'],
  [120, '[==========] 100 %'],
])('%p of 100 is a bar', (done, bar) => {
  expect(renderProgress({ what: 'x', done, total: 100 }, 22)).toBe(`x  ${bar}`);
});

test('nothing to do is done', () => {
  expect(renderProgress({ what: 'x', done: 0, total: 0 }, 30)).toContain('100 %');
});

test('never fills the last column, however narrow the terminal is', () => {
  const share = fc.record({ done: fc.nat(200), total: fc.nat(200) });
  fc.assert(
    fc.property(share, fc.integer({ min: 1, max: 300 }), (progress, columns) => {
      const line = renderProgress({ what: 'image.squashfs', ...progress }, columns);
      expect(displayWidth(line)).toBeLessThan(columns);
    }),
  );
});
