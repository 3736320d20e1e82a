import { describe, expect, test } from 'bun:test';
import * as fc from 'fast-check';
import { encodeName } from '../../../src/core/bytes';
import type { TargetPath } from '../../../src/core/path';
import { renderLine, renderSnippet, type SnippetLine, whyNotRepresentable } from '../../../src/core/snippet/snippet';
import { copy, copyTree, directory, link, namedDirectory, owned, pointer, remove } from '../../support/lines';
import { anyName, linkText } from '../../support/names';

const raw = String.raw;

describe('renderLine', () => {
  test.each<[SnippetLine, string]>([
    [pointer('/run/filesystem-overlay', '/store/x'), 'L+ /run/filesystem-overlay - - - - /store/x'],
    [link('/etc/hosts', '/run/filesystem-overlay/etc/hosts'), 'L /etc/hosts - - - - /run/filesystem-overlay/etc/hosts'],
    [directory('/etc/d'), 'd /etc/d - - -'],
    [directory('/etc/d', owned(0o700, 0, 0)), 'd /etc/d :0700 :0 :0'],
    [directory('/etc/d', owned(0o755, 0, 5)), 'd /etc/d :0755 :0 :5'],
    [directory('/etc/d', owned(0o755, 5, 0)), 'd /etc/d :0755 :5 :0'],
    [namedDirectory('/etc/d', owned(0o755, 0, 0)), 'd /etc/d 0755 0 0'],
    [namedDirectory('/etc/d', owned(0o2770, 998, 0)), 'd /etc/d 2770 998 0'],
    [namedDirectory('/etc/d', owned(0, 0, 0)), 'd /etc/d 0000 0 0'],
    [copy('/etc/shadow', '/s/etc/shadow', owned(0o640, 0, 42)), 'C /etc/shadow 0640 0 42 - /s/etc/shadow'],
    [copyTree('/etc/polkit-1/rules.d', '/s/rules'), 'C /etc/polkit-1/rules.d - - - - /s/rules'],
    [remove('/etc/old'), 'r /etc/old'],
  ])('%j', (line, text) => {
    expect(renderLine(line)).toBe(text);
  });

  test.each([
    ['/etc/a-b_c.d+1@x:y=z', '/etc/a-b_c.d+1@x:y=z', '/etc/a-b_c.d+1@x:y=z'],
    ['/etc/a b', '"/etc/a b"', '"/etc/a b"'],
    ['/etc/ \t', '"/etc/ \t"', '"/etc/ \t"'],
    ['/etc/"a"', raw`"/etc/\"a\""`, raw`"/etc/\"a\""`],
    ["/etc/it's#1", `"/etc/it's#1"`, `"/etc/it's#1"`],
    [raw`/etc/a\b`, raw`"/etc/a\\b"`, raw`"/etc/a\\\\b"`],
    ['/etc/100%', '"/etc/100%%"', '"/etc/100%%"'],
    ['/etc/*?[a]', '"/etc/*?[a]"', raw`"/etc/\\*\\?\\[a\\]"`],
    ['/etc/{a,b}~', '"/etc/{a,b}~"', raw`"/etc/\\{a\\,b\\}\\~"`],
    ['/etc/ä\udcff\u0001', '"/etc/ä\udcff\u0001"', '"/etc/ä\udcff\u0001"'],
  ])('writes the path %j', (path, field, pattern) => {
    expect(renderLine(directory(path))).toBe(`d ${field} - - -`);
    expect(renderLine(remove(path))).toBe(`r ${pattern}`);
  });

  test.each([
    ['a-b_c.d+1@x:y=z', 'a-b_c.d+1@x:y=z'],
    ["../a/*?[a]{a,b}~#'$!", "../a/*?[a]{a,b}~#'$!"],
    ['-', raw`\x2d`],
    ['--', '--'],
    [' a ', raw`\x20a\x20`],
    ['a\tb\nc\rd', raw`a\x09b\x0ac\x0dd`],
    ['"a"', raw`\x22a\x22`],
    [raw`a\x41`, raw`a\x5cx41`],
    ['100%', '100%%'],
    ['ä😀💀\udc80\udcff\u007f', `ä😀💀${raw`\x80\xff\x7f`}`],
    ['', raw`\x00`],
  ])('writes the argument %j', (text, field) => {
    expect(renderLine(link('/x', text))).toBe(`L /x - - - - ${field}`);
    expect(renderLine(copyTree('/x', text))).toBe(`C /x - - - - ${field}`);
  });

  test.each(['\n', '\r', '\0'])('writes no path with %j', (character) => {
    for (const line of [link(`/a${character}b`), remove(`/a${character}b`)]) {
      expect(() => renderLine(line)).toThrow(TypeError);
    }
  });
});

describe('renderSnippet', () => {
  test('puts the comment first, and a newline after each line', () => {
    expect(renderSnippet(['Made by a test.', ''], [link('/a'), remove('/b')])).toBe(
      '# Made by a test.\n# \nL /a - - - - t\nr /b\n',
    );
    expect(renderSnippet([], [])).toBe('');
  });

  test('keeps comments on their line', () => {
    expect(renderSnippet(['a\nr /b\r\0 ä'], [])).toBe(`# a${raw`\x0ar /b\x0d\x00`} ä\n`);
  });

  test('makes one line of each, whatever the names', () => {
    const line = fc.record({ name: anyName, linkText }).map(({ name, linkText }) => link(`/${name}`, linkText));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const bytes = encodeName(renderSnippet([], lines));
        expect(bytes.filter((byte) => byte === 0x0a)).toHaveLength(lines.length);
        expect(bytes.some((byte) => byte === 0x0d || byte === 0)).toBe(false);
      }),
    );
  });
});

/** A path of many names, with as many bytes as that. */
function long(sizeBytes: number): string {
  return `/${'a'.repeat(99)}`.repeat(41).slice(0, sizeBytes);
}

describe('whyNotRepresentable', () => {
  const mode = owned(0o755, 0, 0);

  test.each<[string, TargetPath | SnippetLine, string | undefined]>([
    ['a usual path', '/etc/hosts' as TargetPath, undefined],
    ['any bytes but two', '/etc/ä \udcff\u0001\t"*%' as TargetPath, undefined],
    ['a newline', '/etc/a\nb' as TargetPath, 'systemd-tmpfiles cannot be told of a name with a newline'],
    ['a newline above', '/etc/a\nb/c' as TargetPath, 'systemd-tmpfiles cannot be told of a name with a newline'],
    ['a carriage return', '/etc/a\r' as TargetPath, 'systemd-tmpfiles cannot be told of a name with a carriage return'],
    ['255 bytes', `/etc/${'a'.repeat(255)}/x` as TargetPath, undefined],
    [
      '256 bytes',
      `/etc/${'a'.repeat(256)}/x` as TargetPath,
      'the name is too long: it takes 256 bytes, where 255 are possible',
    ],
    [
      'bytes, not characters',
      `/${'ä'.repeat(128)}` as TargetPath,
      'the name is too long: it takes 256 bytes, where 255 are possible',
    ],
    ['the longest path', long(4000) as TargetPath, undefined],
    ['a longer one', long(4001) as TargetPath, 'the path is too long: it takes 4001 bytes, where 4000 are possible'],
    ['the longest path of a line', link(long(4095)), undefined],
    ['a longer one', link(long(4096)), 'the path is too long: it takes 4096 bytes, where 4095 are possible'],
    [
      'escapes that count',
      remove(long(4095).replace('a', '*')),
      'the path is too long: it takes 4096 bytes, where 4095 are possible',
    ],
    ['escapes that do not', directory(long(4095).replace('a', '*'), mode), undefined],
    ['any link text', link('/x', '\n\r%'), undefined],
    ['no link text', pointer('/x', ''), 'a link cannot be empty'],
    ['the longest link text', link('/x', '\udcff'.repeat(4095)), undefined],
    [
      'a longer one',
      link('/x', '%'.repeat(4096)),
      'the link text is too long: it takes 4096 bytes, where 4095 are possible',
    ],
    ['a source', copy('/x', '/s \n', mode), undefined],
    ['a relative source', copyTree('/x', 's'), 'the source has to be an absolute path'],
    [
      'a long source',
      copyTree('/x', long(4096)),
      'the source is too long: it takes 4096 bytes, where 4095 are possible',
    ],
    ['the highest user', directory('/x', owned(0o755, 0xff_ff_ff_fe, 65_534)), undefined],
    ['user 65535', directory('/x', owned(0o755, 65_535, 0)), 'systemd-tmpfiles refuses 65535 as a user or group'],
    ['group 65535', copy('/x', '/s', owned(0o755, 0, 65_535)), 'systemd-tmpfiles refuses 65535 as a user or group'],
  ])('%s', (_, what, why) => {
    expect(whyNotRepresentable(what)).toBe(why);
  });
});
