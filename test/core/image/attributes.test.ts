import { expect, test } from 'bun:test';
import { isKeptAttribute, modeWithoutAcl } from '../../../src/core/image/attributes';

test.each([
  ['user.anything at all', true],
  ['user.', true],
  ['security.capability', true],
  ['system.posix_acl_access', true],
  ['system.posix_acl_default', true],
  ['security.selinux', false],
  ['security.ima', false],
  ['trusted.overlay.opaque', false],
  ['system.nfs4_acl', false],
])('%s is kept: %p', (name, isKept) => {
  expect(isKeptAttribute(name)).toBe(isKept);
});

/** An ACL as the kernel has it: user, a named user, group, mask, other. */
function acl(group: number, mask: number): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(4 + 5 * 8));
  bytes.setUint32(0, 2, true);
  for (const [index, [tag, permissions]] of [
    [0x01, 6],
    [0x02, 7],
    [0x04, group],
    [0x10, mask],
    [0x20, 4],
  ].entries()) {
    bytes.setUint16(4 + 8 * index, tag ?? 0, true);
    bytes.setUint16(6 + 8 * index, permissions ?? 0, true);
  }
  return new Uint8Array(bytes.buffer);
}

test.each([
  ['the group may do nothing', 0o660, 0, 6, 0o600],
  ['the group may do less than the mask', 0o674, 4, 7, 0o644],
  ['the mask takes some away', 0o644, 7, 4, 0o644],
  ['setuid stays', 0o4775, 5, 7, 0o4755],
])('without an ACL %s', (_, mode, group, mask, expected) => {
  const attributes = [{ name: 'system.posix_acl_access', value: acl(group, mask) }];
  expect(modeWithoutAcl(mode, attributes).toString(8)).toBe(expected.toString(8));
});

test('a mode stays where there is no access ACL', () => {
  expect(modeWithoutAcl(0o664, [{ name: 'system.posix_acl_default', value: acl(0, 0) }])).toBe(0o664);
});
