import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type BootRecord, parseBootRecord } from '../../../src/core/records/boot';
import { MOST_TRIES, parseTries, renderTries } from '../../../src/core/records/tries';

const whole: BootRecord = {
  hook: 'initrd',
  wanted: 3,
  chosen: 2,
  why: 'it is before the default',
  passed: [{ generation: 3, why: 'its image is damaged' }],
  trial: 1,
  brought: true,
};

describe('the record of a boot', () => {
  test('is read as the boot hook writes it, on one line', () => {
    expect(parseBootRecord(`{"schema":1,${JSON.stringify(whole).slice(1)}\n`)).toEqual(whole);
    const { trial: _, ...trusted } = whole;
    expect(parseBootRecord(JSON.stringify({ schema: 1, ...trusted }))).toEqual(trusted);
  });

  test('needs to say no more than what was chosen', () => {
    const least = { hook: 'boot', wanted: 2, chosen: 2, why: '', passed: [], brought: false };
    expect(parseBootRecord('{"chosen": 2}')).toEqual(least);
    expect(
      parseBootRecord(
        '{"schema":9,"chosen":2,"hook":1,"wanted":-1,"why":[],"passed":[{}],"trial":"x","brought":2,"x":1}',
      ),
    ).toEqual(least);
  });

  test.each(['', '{', 'null', '[]', '2', '{}', '{"chosen":"2"}', '{"chosen":-1}', '{"chosen":1.5}'])(
    'is no record at all as %j',
    (text) => {
      expect(parseBootRecord(text)).toBeUndefined();
    },
  );

  test('never throws', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseBootRecord(text)));
  });
});

describe('tries', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MOST_TRIES }), (tries) => {
        expect(parseTries(renderTries(tries))).toBe(tries);
      }),
    );
  });

  test.each(['', 'x\n', '-1\n', '100\n', '1 \n', '1\n2\n', '0x1\n'])('are none as %j', (text) => {
    expect(parseTries(text)).toBe(0);
  });
});
