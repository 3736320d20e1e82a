import { describe, expect, test } from 'bun:test';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { readStatus } from '../../../src/system/tree/reading';
import { readRecord, writeRecord } from '../../../src/system/tree/records';
import { at, failureOf, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();
const [one, two] = ['one', 'two'].map((text) => new TextEncoder().encode(text));

describe('records', () => {
  test('come back as they were written, the last one alone', () => {
    writeRecord(root.current, at('/record'), [one ?? new Uint8Array()]);
    writeRecord(root.current, at('/record'), [two ?? new Uint8Array()], 0o600);
    expect(readRecord(root.current, at('/record'))).toEqual(two);
    expect(readdirSync(root.on('/'))).toEqual(['record']);
  });

  test('have exactly their mode, whatever the umask', () => {
    const umask = process.umask(0o077);
    writeRecord(root.current, at('/record'), []);
    writeRecord(root.current, at('/secret'), [new Uint8Array()], 0o640);
    process.umask(umask);
    expect(['/record', '/secret'].map((path) => readStatus(root.current, at(path))?.mode)).toEqual([0o644, 0o640]);
  });

  test('take the place of a symlink and do not follow it', () => {
    writeFileSync(root.on('/victim'), 'as it was');
    symlinkSync('victim', root.on('/record'));
    writeRecord(root.current, at('/record'), [one ?? new Uint8Array()]);
    expect(['/victim', '/record'].map((path) => readFileSync(root.on(path), 'utf8'))).toEqual(['as it was', 'one']);
  });

  test('may have names as long as the filesystem allows', () => {
    const path = at(`/${'x'.repeat(255)}`);
    writeRecord(root.current, path, [one ?? new Uint8Array()]);
    expect(readRecord(root.current, path)).toEqual(one);
  });

  test('leave nothing behind where they cannot be written', () => {
    mkdirSync(root.on('/directory/full'), { recursive: true });
    expect(failureOf(() => writeRecord(root.current, at('/directory'), [one ?? new Uint8Array()]))).toEqual([
      'IO',
      'EISDIR',
      '/directory',
      'cannot write the record: is a directory',
    ]);
    expect(readdirSync(root.on('/'))).toEqual(['directory']);
  });

  test('are missing where none is, and broken where something else is', () => {
    symlinkSync('nowhere', root.on('/link'));
    expect(readRecord(root.current, at('/missing'))).toBeUndefined();
    expect(readRecord(root.current, at('/missing/record'))).toBeUndefined();
    expect(failureOf(() => readRecord(root.current, at('/link')))[1]).toBe('ELOOP');
  });
});
