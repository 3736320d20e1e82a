import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { capabilities } from '../support/wrappers';
import { type CapabilityMistake, decodeCapabilities, parseCapabilities } from '../../src/core/capabilities';

const names = ['cap_chown', 'cap_net_raw', 'cap_setuid', 'cap_syslog', 'cap_checkpoint_restore'];

describe('capabilities', () => {
  test.each([
    ['cap_net_raw+ep', 'cap_net_raw=ep'],
    ['cap_net_raw=pe', 'cap_net_raw=ep'],
    [' CAP_NET_RAW,cap_net_admin+ep ', 'cap_net_admin,cap_net_raw=ep'],
    ['cap_net_raw+p cap_net_raw+e', 'cap_net_raw=ep'],
    ['cap_net_raw+p cap_chown+i', 'cap_chown=i cap_net_raw=p'],
    ['cap_net_raw+eip cap_chown+ep', 'cap_chown=ep cap_net_raw=eip'],
  ])('%s are recorded as %s', (text, recorded) => {
    expect(parseCapabilities(text)).toBe(recorded);
  });

  test.each([
    ['', 'there is none in it'],
    ['cap_net_raw', '"cap_net_raw" is not how capabilities are written'],
    ['cap_net_raw-e', '"cap_net_raw-e" is not how capabilities are written'],
    ['cap_net_raw+x', '"cap_net_raw+x" is not how capabilities are written'],
    ['all+ep', 'there is no capability "all"'],
    ['cap_net_row+ep', 'there is no capability "cap_net_row"'],
    ['cap_net_raw,+ep', 'there is no capability ""'],
    ['cap_net_raw+e', 'e alone gives nothing'],
    ['cap_net_raw+ep cap_chown+p', 'a file has e for all of its capabilities or for none'],
  ])('%j are refused', (text, problem) => {
    expect((parseCapabilities(text) as CapabilityMistake).problem).toBe(problem);
  });

  test('that are recorded are read as they are', () => {
    const clause = fc
      .tuple(fc.subarray(names, { minLength: 1 }), fc.constantFrom('ep', 'eip', 'ei'))
      .map(([held, letters]) => `${held.join(',')}+${letters}`);
    fc.assert(
      fc.property(fc.array(clause, { minLength: 1, maxLength: 3 }), (clauses) => {
        const recorded = capabilities(clauses.join(' '));
        expect(parseCapabilities(recorded)).toBe(recorded);
      }),
    );
  });

  test.each([
    ['0100000200200000000000000000000000000000', 'cap_net_raw=ep'],
    ['0000000200000000012000000000000000000000', 'cap_chown,cap_net_raw=i'],
    ['010000020000000000000000000100000000000000', 'cap_checkpoint_restore=ep'],
    ['010000030020000000000000000000000000000000000000', 'cap_net_raw=ep'],
  ])('of a file are read from its attribute: %s', (attribute, recorded) => {
    expect(decodeCapabilities(Uint8Array.fromHex(attribute))).toBe(recorded);
  });

  test.each([
    '',
    '01000001002000000000000000000000',
    '010000040020000000000000000000000000000000000000',
    '0100000300200000000000000000000000000000e8030000',
  ])('of another kind are like none that is recorded: %j', (attribute) => {
    expect(decodeCapabilities(Uint8Array.fromHex(attribute))).toBe(`unknown ${attribute}`);
  });
});
