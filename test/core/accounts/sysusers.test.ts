import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  effectiveLines,
  parseRenderedSysusers,
  parseSysusers,
  renderSysusers,
  type SysusersLine,
} from '../../../src/core/accounts/sysusers';
import type { ActivateError } from '../../../src/core/errors';

/** A line without its text and where it is from. */
function meaningOf(text: string): object | undefined {
  const [line] = parseSysusers(text, 'web.conf');
  if (line === undefined) return undefined;
  const { text: _, at: __, ...meaning } = line;
  return meaning;
}

describe('parseSysusers', () => {
  test.each<[string, object | undefined]>([
    ['u www 33', { kind: 'user', name: 'www', id: { kind: 'number', id: 33 } }],
    ['u! www 33', { kind: 'user', name: 'www', id: { kind: 'number', id: 33 } }],
    ['u www', { kind: 'user', name: 'www', id: { kind: 'any' } }],
    ['\tu  www\t-  "Web  server" /var/www', { kind: 'user', name: 'www', id: { kind: 'any' } }],
    ['u www 33:44', { kind: 'user', name: 'www', id: { kind: 'number', id: 33 }, group: 44 }],
    ['u www 33:web', { kind: 'user', name: 'www', id: { kind: 'number', id: 33 }, group: 'web' }],
    ['u www -:web', { kind: 'user', name: 'www', id: { kind: 'any' }, group: 'web' }],
    ['u www /var/www', { kind: 'user', name: 'www', id: { kind: 'path', path: '/var/www' } }],
    ['u www "/var/a:b c"', { kind: 'user', name: 'www', id: { kind: 'path', path: '/var/a:b c' } }],
    ['g web 44', { kind: 'group', name: 'web', id: { kind: 'number', id: 44 } }],
    ["g 'web' -", { kind: 'group', name: 'web', id: { kind: 'any' } }],
    [String.raw`g w\eb`, { kind: 'group', name: 'web', id: { kind: 'any' } }],
    ['m www adm', { kind: 'member', name: 'www', group: 'adm' }],
    ['r - 500-900', { kind: 'range' }],
    ['# u www 33', undefined],
    ['   ', undefined],
  ])('reads %s', (text, meaning) => {
    expect(meaningOf(text)).toEqual(meaning);
  });

  test.each([
    ['x www 33', 'there is no line of type "x"'],
    ['u', 'a name is missing'],
    ['u 33 www', '"33" is no name of a user or group'],
    ['u a%b 33', '"a%b" is no name of a user or group'],
    ['u www 033', '"033" is no id'],
    ['u www 65535', '"65535" is no id'],
    ['u www 4294967295', '"4294967295" is no id'],
    ['g web 44:45', '"44:45" is no id'],
    ['m www', 'a name is missing'],
    ['u www 33 "Web', 'a quotation mark is not closed'],
  ])('refuses %s', (text, message) => {
    let error: unknown;
    try {
      parseSysusers(`# above\n${text}\n`, 'usr/lib/sysusers.d/web.conf');
    } catch (caught) {
      error = caught;
    }
    const { code, path, message: said } = error as ActivateError;
    expect({ code, path, said }).toEqual({ code: 'CLOSURE', path: 'usr/lib/sysusers.d/web.conf:2', said: message });
  });
});

describe('renderSysusers', () => {
  test('says of each line where it is from', () => {
    const lines = [
      ...parseSysusers('# users\nu www 33\n\ng web 44', 'etc/sysusers.d/a.conf'),
      ...parseSysusers('m www web', 'b.conf'),
    ];
    expect(renderSysusers(lines)).toBe(
      '# etc/sysusers.d/a.conf:2\nu www 33\n# etc/sysusers.d/a.conf:4\ng web 44\n# b.conf:1\nm www web\n',
    );
  });

  test('has an inverse', () => {
    const name = fc.stringMatching(/^[a-z_][a-z0-9_-]{0,8}$/u);
    const id = fc.oneof(
      fc.constantFrom('', '-', '/usr/bin/x', '"/a b"'),
      fc.integer({ min: 0, max: 60_000 }).map(String),
    );
    const text = fc.oneof(
      fc.tuple(fc.constantFrom('u', 'u!', 'g'), name, id, fc.constantFrom('', ' "A \\" b" /x', ' -')).map((parts) => {
        const [type, who, wanted, rest] = parts;
        return `${type} ${who} ${wanted}${wanted === '' ? '' : rest}`.trim();
      }),
      fc.tuple(name, name).map(([user, group]) => `m ${user} ${group}`),
      fc.constant('r - 5-6'),
    );
    fc.assert(
      fc.property(fc.array(fc.array(text)), (files) => {
        const lines: SysusersLine[] = files.flatMap((file, index) =>
          parseSysusers(file.join('\n'), `dir/${index}.conf`),
        );
        expect(parseRenderedSysusers(renderSysusers(lines))).toEqual(lines);
      }),
    );
  });
});

test('the first of several lines about one user or group counts', () => {
  const lines = parseSysusers('u a 1\ng a 2\nu a 3\nm a b\nm a c\ng a 4', 'x');
  expect(effectiveLines(lines).map(({ text }) => text)).toEqual(['u a 1', 'g a 2', 'm a b', 'm a c']);
});
