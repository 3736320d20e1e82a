import { describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { encodeName } from '../../../src/core/bytes';
import { describeErrno, effectiveUser, resolvePath, terminated } from '../../../src/system/syscalls/libc';
import { hostileNames, useTemporaryRoot } from '../temporary-root';

const root = useTemporaryRoot();

describe('the C library', () => {
  test('describes failures', () => {
    const { ENOSPC, EXDEV } = constants.errno;
    expect([ENOSPC, -EXDEV].map(describeErrno)).toEqual(['no space left on device', 'invalid cross-device link']);
  });

  test('knows who we are', () => {
    expect(effectiveUser()).toBe(process.geteuid?.() ?? -1);
  });

  test.each(hostileNames)('resolves %j', (name) => {
    mkdirSync(Buffer.from(encodeName(root.on(`/${name}`))));
    expect(resolvePath(root.on(`/./${name}/../${name}/`))).toBe(root.on(`/${name}`));
    expect(resolvePath(root.on(`/${name}/missing`))).toBe(-constants.errno.ENOENT);
  });

  test('is not given names that it would cut', () => {
    expect(terminated('a\udcff').slice(0, 3)).toEqual(Uint8Array.of(0x61, 0xff, 0));
    expect(() => terminated('a\0b')).toThrow('EINVAL');
  });
});
