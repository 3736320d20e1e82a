import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type AccountName, addAccounts, parseAccounts, withoutPasswords } from '../../../src/core/accounts/accounts';

describe('addAccounts', () => {
  test.each<[string, AccountName, string, string, string]>([
    ['a new user goes to the end', 'passwd', 'a:x:1:1:::\n', 'a:x:1:1:::\nb:x:2:2:::\n', 'a:x:1:1:::\nb:x:2:2:::\n'],
    ['a last line without an end gets one', 'passwd', 'a:x:1:1:::', 'a:x:1:1:::\nb:x\n', 'a:x:1:1:::\nb:x\n'],
    ['comments and empty lines stay', 'passwd', '# x\na:x\n\n?\n', 'a:x\nb:x\n', '# x\na:x\n\n?\nb:x\n'],
    ['NIS stays at the end', 'passwd', 'a:x\n+::::::\n-c\n', 'a:x\nb:x\n+::::::\n', 'a:x\nb:x\n+::::::\n-c\n'],
    ['a line that is there stays', 'shadow', 'a:$6$x:9:::::::\n', 'a:*:20:::::::\n', 'a:$6$x:9:::::::\n'],
    ['a line that is gone stays', 'passwd', 'a:x\nb:x\n', 'b:x\n', 'a:x\nb:x\n'],
    ['members are added', 'group', 'g:x:4:a\n', 'g:x:4:a,b\n', 'g:x:4:a,b\n'],
    ['members are never taken away', 'group', 'g:x:4:a,c\n', 'g:x:4:b\n', 'g:x:4:a,c,b\n'],
    ['the rest of a group stays', 'gshadow', 'g:!old:adm:a\n', 'g:*::a,b\n', 'g:!old:adm:a,b\n'],
    ['nothing new changes nothing', 'group', 'g:x:4:', 'g:x:4:\n', 'g:x:4:'],
    ['the first of two lines counts', 'group', 'g:x:4:\ng:x:5:\n', 'g:x:4:b\n', 'g:x:4:b\ng:x:5:\n'],
    ['an empty file is filled', 'passwd', '', 'a:x\n', 'a:x\n'],
  ])('%s', (_, name, before, after, expected) => {
    expect(addAccounts(name, before, after)).toBe(expected);
  });

  const line = fc.oneof(
    fc
      .tuple(
        fc.constantFrom('a', 'b', 'c', 'd'),
        fc.constantFrom('x', '*', '$6$'),
        fc.constantFrom('', 'a', 'a,b', 'c'),
      )
      .map(([name, password, members]) => `${name}:${password}:4:${members}`),
    fc.constantFrom('# comment', '', '+:::', 'broken', '-a'),
  );
  const text = fc.array(line).map((lines) => lines.map((each) => `${each}\n`).join(''));

  test('keeps every line but for the members of groups, in their order', () => {
    fc.assert(
      fc.property(text, text, accountName, (before, after, name) => {
        const kept = lasting(name, addAccounts(name, before, after));
        let at = 0;
        for (const line of kept) if (line === lasting(name, before)[at]) at += 1;
        expect(at).toBe(lasting(name, before).length);
      }),
    );
  });

  test('changes nothing when it is done again', () => {
    fc.assert(
      fc.property(text, text, accountName, (before, after, name) => {
        const once = addAccounts(name, before, after);
        expect(addAccounts(name, once, after)).toBe(once);
      }),
    );
  });
});

const accountName = fc.constantFrom<AccountName>('passwd', 'shadow', 'group', 'gshadow');

/** The lines of a text, without what may be added to one. */
function lasting(name: AccountName, text: string): string[] {
  const lines = text.split('\n').filter(Boolean);
  return name === 'group' || name === 'gshadow' ? lines.map((line) => line.replace(/:[^:]*$/u, '')) : lines;
}

test('parseAccounts knows users, groups, who is in them, and primary groups', () => {
  const accounts = parseAccounts({
    passwd: '# x\nroot:x:0:0:::\nwww:x:33:44:::\nwww:x:34:45:::\n',
    group: 'root:x:0:\nadm:x:4:a,b\n',
  });
  expect(accounts).toEqual({
    users: new Map([
      ['root', 0],
      ['www', 33],
    ]),
    groups: new Map([
      ['root', 0],
      ['adm', 4],
    ]),
    primary: new Map([
      ['root', 0],
      ['www', 44],
    ]),
    members: new Map([
      ['root', new Set()],
      ['adm', new Set(['a', 'b'])],
    ]),
  });
});

test('withoutPasswords leaves the names and dates', () => {
  expect(withoutPasswords('root:$6$salt$hash:19000:0:::::\na:!:1::::::\n')).toBe('root:*:19000:0:::::\na:*:1::::::\n');
});
