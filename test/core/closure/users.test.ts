import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { type Owner, parseGroup, parseOwner, parsePasswd, resolveOwner } from '../../../src/core/closure/users';

describe('parseOwner', () => {
  test.each<[string, Owner]>([
    ['root', { name: 'root' }],
    ['systemd-network', { name: 'systemd-network' }],
    ['_apt', { name: '_apt' }],
    ['host$', { name: 'host$' }],
    ['0day', { name: '0day' }],
    ['jörg', { name: 'jörg' }],
    ['0', { id: 0 }],
    ['+0', { id: 0 }],
    ['+998', { id: 998 }],
    ['4294967294', { id: 4_294_967_294 }],
  ])('reads %j', (text, owner) => {
    expect(parseOwner(text)).toEqual(owner);
  });

  test.each([
    '',
    '+',
    '++1',
    '-1',
    '-',
    '+root',
    'a b',
    ' a',
    'a:b',
    'a/b',
    'a\n',
    '007',
    '+0440',
    '4294967295',
    '9'.repeat(40),
    '#1',
    'a\0',
  ])('refuses %j', (text) => {
    expect(parseOwner(text)).toBeUndefined();
  });

  test('reads every number with and without a plus', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xff_ff_ff_fe }), (id) => {
        expect([parseOwner(`${id}`), parseOwner(`+${id}`)]).toEqual([{ id }, { id }]);
      }),
    );
  });
});

describe('resolveOwner', () => {
  const names = new Map([
    ['root', 0],
    ['wheel', 10],
  ]);

  test.each<[Owner, number | undefined]>([
    [{ name: 'wheel' }, 10],
    [{ name: 'root' }, 0],
    [{ name: 'nobody' }, undefined],
    [{ id: 77 }, 77],
  ])('%j', (owner, id) => {
    expect(resolveOwner(owner, names)).toBe(id);
  });
});

describe('account files', () => {
  test('passwd: names and numbers, without comments, NIS and malformed lines', () => {
    const text = [
      'root:x:0:0:root:/root:/bin/sh',
      '# comment:x:1:1:::',
      '',
      '  indented:x:2:2:::',
      '+nis:x:3:3:::',
      '-nis:x:3:3:::',
      '+::::::',
      'no number:x:4:4:::',
      'negative:x:-4:4:::',
      'empty:x::4:::',
      'much:x:4294967295:4:::',
      'short:x:5',
      ':x:6:6:::',
      'root:x:7:7:::',
      'last:*:0010:8::/:/bin/a:b',
    ].join('\n');
    expect(parsePasswd(text)).toEqual(
      new Map([
        ['root', 0],
        ['indented', 2],
        ['last', 10],
      ]),
    );
  });

  test('group: names and numbers', () => {
    expect(parseGroup('root:x:0:\nwheel:x:10:root,me\r\n+:::\n\nbare:x:11\nx:y\n')).toEqual(
      new Map([
        ['root', 0],
        ['wheel', 10],
        ['bare', 11],
      ]),
    );
    expect(parseGroup('')).toEqual(new Map());
  });

  test('every name in them can be an owner', () => {
    const line = fc.array(
      fc.string({ unit: fc.constantFrom('a', '1', '0', '+', '-', '#', ' ', '/', '\t', 'é'), maxLength: 3 }),
      { maxLength: 5 },
    );
    const text = fc.array(line.map((fields) => fields.join(':'))).map((lines) => lines.join('\n'));
    fc.assert(
      fc.property(text, (each) => {
        for (const [name, id] of parsePasswd(each)) {
          if (!/^\d+$/u.test(name)) expect(parseOwner(name)).toEqual({ name });
          expect(parseOwner(String(id))).toEqual({ id });
        }
      }),
      { numRuns: 1000 },
    );
  });
});
