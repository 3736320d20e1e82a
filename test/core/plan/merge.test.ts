import { describe, expect, test } from 'bun:test';
import { mergeVersions, type Version } from '../../../src/core/plan/merge';

const encoder = new TextEncoder();

function version(text: string | Uint8Array, ownership: Partial<Version> = {}): Version {
  return { mode: 0o644, uid: 0, gid: 0, bytes: typeof text === 'string' ? encoder.encode(text) : text, ...ownership };
}

type Given = string | Uint8Array | Version;

function merge(base: Given, ours: Given, theirs: Given): unknown {
  const [o, a, b] = [base, ours, theirs].map((each) =>
    typeof each === 'string' || each instanceof Uint8Array ? version(each) : each,
  ) as [Version, Version, Version];
  const merged = mergeVersions({ base: o, ours: a, theirs: b }, () => 'digest');
  if (merged.state === 'conflict') return merged.why;
  const { bytes, mode, uid, gid, sizeBytes } = merged.result;
  expect(sizeBytes).toBe(bytes.length);
  return [Buffer.from(bytes).toString('latin1'), mode.toString(8), uid, gid, merged.same];
}

const SAME_LINES = 'the new generation changes the same lines, from line 1 on';

describe('mergeVersions', () => {
  test.each([
    ['a change of ours alone', '1\n2\n3\n', '1\nx\n3\n', '1\n2\n3\n', ['1\nx\n3\n', '644', 0, 0, 'ours']],
    ['a change of theirs alone', '1\n2\n3\n', '1\n2\n3\n', '1\n2\ny\n', ['1\n2\ny\n', '644', 0, 0, 'theirs']],
    ['changes apart', '1\n2\n3\n', 'x\n2\n3\n', '1\n2\ny\n', ['x\n2\ny\n', '644', 0, 0, 'neither']],
    ['the same change', '1\n2\n', '1\nx\n', '1\nx\n', ['1\nx\n', '644', 0, 0, 'theirs']],
    ['no newline at the end', '1\n2\n3', 'x\n2\n3', '1\n2\n3\n', ['x\n2\n3\n', '644', 0, 0, 'neither']],
    [
      'lines with CR',
      '1\r\n2\r\n3\r\n',
      'x\r\n2\r\n3\r\n',
      '1\r\n2\r\ny\r\n',
      ['x\r\n2\r\ny\r\n', '644', 0, 0, 'neither'],
    ],
    [
      'text that looks like markers',
      '<<<<<<<\n2\n=======\n',
      '<<<<<<<\nx\n2\n=======\n',
      '<<<<<<<\n2\n=======\ny\n',
      ['<<<<<<<\nx\n2\n=======\ny\n', '644', 0, 0, 'neither'],
    ],
    ['the same line changed twice', '1\n', 'x\n', 'y\n', SAME_LINES],
    ['something where there was nothing', '', 'x\n', 'y\n', SAME_LINES],
  ])('%s', (_, base, ours, theirs, expected) => {
    expect(merge(base, ours, theirs)).toEqual(expected);
  });

  test('keeps bytes that are not UTF-8, and takes a file with a NUL for no text', () => {
    const merged = merge(
      Uint8Array.of(0xff, 10, 50, 10, 51, 10),
      Uint8Array.of(0xff, 10, 50, 10, 0xfe, 10),
      Uint8Array.of(0xfd, 10, 50, 10, 51, 10),
    );
    expect(merged).toEqual(['\u00fd\n2\n\u00fe\n', '644', 0, 0, 'neither']);
    expect(merge(Uint8Array.of(0), Uint8Array.of(0, 1), Uint8Array.of(0))).toBe(
      'only text of at most 1 MiB can be merged',
    );
  });

  test('merges mode and owner as well', () => {
    const private_ = version('1\n', { mode: 0o600 });
    expect(merge('1\n', private_, '1\nx\n')).toEqual(['1\nx\n', '600', 0, 0, 'neither']);
    expect(merge('1\n', '1\nx\n', version('1\n', { uid: 7, gid: 8 }))).toEqual(['1\nx\n', '644', 7, 8, 'neither']);
    expect(merge('1\n', private_, version('1\n', { mode: 0o640 }))).toBe(
      'its mode or owner was changed by the new generation too',
    );
  });
});
