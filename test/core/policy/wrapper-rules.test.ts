import { describe, expect, test } from 'bun:test';
import { ActivateError } from '../../../src/core/errors';
import { parsePolicy } from '../../../src/core/policy/policy';
import { type WrapperRule, wrapperOwners } from '../../../src/core/policy/wrapper-rules';

const FILE = 'activation.toml';

function rules(text: string): readonly WrapperRule[] {
  return parsePolicy(`schema = 1\n${text}`, FILE).wrappers;
}

function refusal(text: string): [string, string | undefined, string | undefined] {
  try {
    rules(text);
  } catch (error) {
    if (error instanceof ActivateError) return [`${error.code}: ${error.message}`, error.path, error.hint];
    throw error;
  }
  return ['fine', undefined, undefined];
}

/** One wrapper with these lines besides a name and a source, or in their place. */
function one(lines: string, name = '"ping"', source = '"/usr/bin/ping"'): string {
  return `[[wrapper]]\nname = ${name}\nsource = ${source}\n${lines}\n`;
}

describe('the wrappers of a policy', () => {
  test('are setuid root unless something else is said, and sorted by name', () => {
    const text = `${one('', '"su"', '"sw/bin/su"')}${one(
      'mode = "2750"\nowner = "daemon"\ngroup = 7\ncapabilities = "cap_net_raw+ep"',
    )}`;
    expect(rules(text)).toEqual([
      {
        name: 'ping',
        source: '/usr/bin/ping',
        mode: 0o2750,
        owner: { name: 'daemon' },
        group: { id: 7 },
        capabilities: 'cap_net_raw=ep',
        origin: 'activation.toml: wrapper[2]',
      },
      {
        name: 'su',
        source: 'sw/bin/su',
        mode: 0o4755,
        owner: { id: 0 },
        group: { id: 0 },
        origin: 'activation.toml: wrapper[1]',
      },
    ]);
  });

  test('are not setuid where they have capabilities', () => {
    expect(rules(one('capabilities = "cap_net_raw+ep"'))[0]?.mode).toBe(0o755);
  });

  test('can be read from JSON', () => {
    const policy = parsePolicy('{"schema": 1, "wrapper": [{"name": "su", "source": "/usr/bin/su"}]}', 'policy.json');
    expect(policy.wrappers.map(({ name, origin }) => [name, origin])).toEqual([['su', 'policy.json: wrapper[1]']]);
  });

  const NAMES = 'It is the name of a program';
  const PATHS = 'Write an absolute path, or one from';
  test.each([
    ['wrapper = 1', 'wrapper: 1 is not allowed', 'Allowed is a list of tables, each under [[wrapper]]'],
    ['[wrapper]\nname = "su"', 'wrapper: a table is not allowed', 'Allowed is a list of tables'],
    ['[[wrapper]]\nsource = "/x"', 'wrapper[1].name: it is missing', 'Write e.g. name = "ping".'],
    ['[[wrapper]]\nname = "su"', 'wrapper[1].source: it is missing', 'Write e.g. source = "/usr/bin/ping".'],
    [one('sorce = "/x"'), 'wrapper[1].sorce: there is no such key', 'Did you mean source?'],
    [one('', '"a/b"'), 'wrapper[1].name: "a/b" is no name of a wrapper', NAMES],
    [one('', '".."'), 'wrapper[1].name: ".." is no name of a wrapper', NAMES],
    [one('', '"."'), 'wrapper[1].name: "." is no name of a wrapper', NAMES],
    [one('', '""'), 'wrapper[1].name: "" is no name of a wrapper', NAMES],
    [one('', '"-x"'), 'wrapper[1].name: "-x" is no name of a wrapper', NAMES],
    [one('', '"a b"'), 'wrapper[1].name: "a b" is no name of a wrapper', NAMES],
    [one('', String.raw`"a\nb"`), String.raw`wrapper[1].name: "a\nb" is no name of a wrapper`, NAMES],
    [one('', `"${'x'.repeat(256)}"`), `wrapper[1].name: "${'x'.repeat(80)}" is no name of a wrapper`, NAMES],
    [one('', '1'), 'wrapper[1].name: 1 is not allowed', 'Allowed is text in quotes.'],
    [one('', '"su"', '""'), 'wrapper[1].source: "" is no path of a program', PATHS],
    [one('', '"su"', '"/usr/../x"'), 'wrapper[1].source: "/usr/../x" is no path of a program', PATHS],
    [one('', '"su"', '"../x"'), 'wrapper[1].source: "../x" is no path of a program', PATHS],
    [one('', '"su"', '"/usr/bin/"'), 'wrapper[1].source: "/usr/bin/" is no path of a program', PATHS],
    [one('', '"su"', String.raw`"/\u0000"`), String.raw`wrapper[1].source: "/\u0000" is no path of a program`, PATHS],
    [one('mode = "u+s"'), 'wrapper[1].mode: "u+s" is not allowed', 'Allowed is three or four octal digits'],
    [one('mode = "4000"'), 'wrapper[1].mode: nobody could run it', 'Write e.g. mode = "4755".'],
    [one('mode = "4777"'), 'wrapper[1].mode: others than its owner could write it', 'Write e.g. mode = "4755".'],
    [one('owner = ":"'), 'wrapper[1].owner: ":" is not allowed', 'Allowed is a name, or a number'],
    [
      one('capabilities = "cap_x+ep"'),
      'wrapper[1].capabilities: there is no capability "cap_x"',
      'See capabilities(7).',
    ],
    [one('') + one(''), 'wrapper[2].name: there are two wrappers of the name "ping"', 'Name each once.'],
  ])('%j are refused', (text, message, hint) => {
    const [said, at, advice] = refusal(text);
    expect([said, at]).toEqual([`POLICY: ${message}`, FILE]);
    expect(advice).toStartWith(hint);
  });

  test('belong to users and groups by name, whose numbers must be known', () => {
    const [rule] = rules(one('owner = "daemon"\ngroup = "games"'));
    if (rule === undefined) throw new Error('no rule');
    const users = new Map([['daemon', 1]]);
    expect(wrapperOwners(rule, { users, groups: new Map([['games', 60]]) })).toEqual({ uid: 1, gid: 60 });
    expect(() => wrapperOwners(rule, { users, groups: new Map() })).toThrow('there is no user or group "games"');
  });
});
