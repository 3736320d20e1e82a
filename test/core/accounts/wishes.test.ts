import { describe, expect, test } from 'bun:test';
import { parseAccounts } from '../../../src/core/accounts/accounts';
import { nameOrigin, parseSysusers } from '../../../src/core/accounts/sysusers';
import { findContradictions, firstUnmet, fixedNames, unfixedLines } from '../../../src/core/accounts/wishes';

const machine = parseAccounts({
  passwd: 'root:x:0:0:::\nalice:x:1000:1000:::\nsync:x:4:65534:::\ngames:x:5:60:::\n',
  group: 'root:x:0:\nalice:x:1000:\nadm:x:4:alice\ngames:x:60:\nnogroup:x:65534:\n',
});
const nobody = parseAccounts({});

describe('unfixedLines', () => {
  test.each<[string, string[]]>([
    ['u www 33\ng web 44\nm www web', []],
    ['u www', ['x:1: user www has no id']],
    ['u www -\ng web', ['x:1: user www has no id', 'x:2: group web has no id']],
    ['u www /var/www', ['x:1: user www has the id of a path']],
    ['u www -:44', ['x:1: user www has no id']],
    ['u www 33:web', ['x:1: no line gives group web an id']],
    ['g web 44\nu www 33:web', []],
    ['u www 33\nm www www', []],
    ['u www 33\nm www web', ['x:2: no line gives group web an id']],
    ['g web 44\nm www web', ['x:2: no line gives user www an id']],
    ['r - 5-10', []],
    ['u www 33\nu www -', []],
  ])('finds in %j what leaves an id to the machine', (text, expected) => {
    const found = unfixedLines(parseSysusers(text, 'x'), nobody);
    expect(found.map(({ at, why }) => `${nameOrigin(at)}: ${why}`)).toEqual(expected);
  });

  test('takes who is there already as fixed', () => {
    expect(unfixedLines(parseSysusers('u alice -\nm alice adm\nu x 7:adm', 'x'), machine)).toEqual([]);
  });
});

describe('findContradictions', () => {
  test.each<[string, string[]]>([
    ['u alice 1000', []],
    ['u alice -', []],
    ['u alice 1000 "Another name" /elsewhere /bin/false', []],
    ['u alice 44', ['/etc/passwd: user alice with id 44 (x:1) / user alice with id 1000']],
    ['u www 1000', ['/etc/passwd: user www with id 1000 (x:1) / user alice with that id']],
    ['u www 60', ['/etc/group: user www with id 60 (x:1) / group games with that id']],
    ['u www 60:adm', []],
    [
      'u alice -:adm',
      ['/etc/passwd: user alice with primary group adm (4) (x:1) / user alice with primary group 1000'],
    ],
    ['u alice 1000:4', ['/etc/passwd: user alice with primary group 4 (x:1) / user alice with primary group 1000']],
    ['u alice 1000:1000', []],
    ['u sync 4', []],
    ['u games 5', []],
    ['g adm 4', []],
    ['g adm -', []],
    ['g adm 5', ['/etc/group: group adm with id 5 (x:1) / group adm with id 4']],
    ['g web 4', ['/etc/group: group web with id 4 (x:1) / group adm with that id']],
    ['m alice games', []],
    ['u alice 1000\nu alice 44', []],
    [
      'u alice 44\ng adm 5',
      [
        '/etc/passwd: user alice with id 44 (x:1) / user alice with id 1000',
        '/etc/group: group adm with id 5 (x:2) / group adm with id 4',
      ],
    ],
  ])('compares %j with the machine', (text, expected) => {
    const found = findContradictions(parseSysusers(text, 'x'), machine);
    expect(found.map(({ path, wanted, there }) => `${path}: ${wanted} / ${there}`)).toEqual(expected);
  });

  test('finds none on a machine without users', () => {
    const lines = parseSysusers('u alice 44\ng adm 5\nu www 5\nm www adm', 'x');
    expect(findContradictions(lines, nobody)).toEqual([]);
  });
});

describe('firstUnmet', () => {
  test.each<[string, string | undefined]>([
    ['u alice 1000\ng adm 4\nm alice adm\nr - 5-6', undefined],
    ['u alice\ng adm', undefined],
    ['u alice 44', 'user alice would have id 1000'],
    ['g adm 5', 'group adm would have id 4'],
    ['u www', 'user www would not be there'],
    ['m alice games', 'user alice would not be in group games'],
  ])('says of %j what does not hold', (text, expected) => {
    expect(firstUnmet(parseSysusers(text, 'x'), machine)?.why).toBe(expected);
  });
});

test('fixedNames gives a user the group of its own name and number, and never overrules who is there', () => {
  const { users, groups } = fixedNames(parseSysusers('u www 33\nu alice 44\nu x 45:adm\ng web 46', 'x'), machine);
  expect([users.get('www'), users.get('alice'), users.get('x'), groups.get('x')]).toEqual([33, 1000, 45, undefined]);
  expect([groups.get('www'), groups.get('web'), groups.get('adm')]).toEqual([33, 46, 4]);
});
