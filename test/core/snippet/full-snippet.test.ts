import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  fullSnippet,
  fullSnippetPieces,
  transitionSnippetPieces,
  whyNotPlaceable,
} from '../../../src/core/snippet/full-snippet';
import { anyEntries, copied, direct, directory, linked, path, seeded, storeLink, whole } from '../../support/entries';

const HEAD = '# Made by activate: shows one generation on a machine where nothing of it is there yet.\n';

function linesFor(...entries: Parameters<typeof fullSnippet>[0]): string[] {
  const text = fullSnippet(entries, '/srv/x y');
  expect(text).toStartWith(`${HEAD}L+ /run/filesystem-overlay - - - - /srv/x\\x20y\n`);
  return text.trimEnd().split('\n').slice(2);
}

describe('the full snippet', () => {
  test('has the pointer first, then a line for each entry', () => {
    expect(
      linesFor(
        directory('/etc'),
        linked('/etc/a'),
        storeLink('/etc/b'),
        whole('/etc/c'),
        direct('/etc/d', '../x y'),
        directory('/etc/e', { mode: 0o700 }),
        directory('/etc/f', { named: true }),
      ),
    ).toEqual([
      'd /etc - - -',
      'L /etc/a - - - - /run/filesystem-overlay/etc/a',
      'L /etc/b - - - - /run/filesystem-overlay/etc/b',
      'L /etc/c - - - - /run/filesystem-overlay/etc/c',
      String.raw`L /etc/d - - - - ../x\x20y`,
      'd /etc/e :0700 :0 :0',
      'd /etc/f 0755 0 0',
    ]);
  });

  test('copies from the overlay, or from the store, and says a mode only where the source has another', () => {
    expect(
      linesFor(
        copied('/etc/a'),
        { ...copied('/etc/b', 'x', 0o440), restyled: true },
        { ...copied('/etc/c', 'x', 0o440), restyled: true, source: '/nix/store/0-c' },
        seeded('/etc/d'),
      ),
    ).toEqual([
      String.raw`C /etc/a - - - - /srv/x\x20y/etc/a`,
      String.raw`C /etc/b 0440 0 0 - /srv/x\x20y/etc/b`,
      'C /etc/c 0440 0 0 - /nix/store/0-c',
      String.raw`C /etc/d - - - - /srv/x\x20y/etc/d`,
    ]);
  });

  test('copies what another user owns as a whole', () => {
    const theirs = directory('/etc/a', { uid: 7 });
    expect(linesFor(theirs, directory('/etc/a/b'), copied('/etc/a/b/c'), linked('/etc/d'))).toEqual([
      String.raw`C /etc/a - - - - /srv/x\x20y/etc/a`,
      'L /etc/d - - - - /run/filesystem-overlay/etc/d',
    ]);
    expect(linesFor(theirs)).toEqual(['d /etc/a :0755 :7 :0']);
  });

  test('has one line for each entry that is not in another user’s directory, in order', () => {
    fc.assert(
      fc.property(anyEntries, (entries) => {
        const text = fullSnippet(entries, '/o');
        expect([...fullSnippetPieces(entries, '/o')].join('')).toBe(text);
        const foreign = entries.filter((entry) => entry.place === 'directory' && entry.uid !== 0);
        const own = entries.filter(({ path: at }) => !foreign.some((each) => at.startsWith(`${each.path}/`)));
        expect(text.trimEnd().split('\n')).toHaveLength(own.length + 2);
      }),
    );
  });
});

test('a transition snippet makes links and directories, and removes', () => {
  const text = [
    ...transitionSnippetPieces(
      [
        { path: path('/etc/a'), made: { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } },
        { path: path('/etc/a/b'), made: { kind: 'symlink', linkText: 'x' } },
      ],
      [
        { path: path('/etc/c*'), was: { kind: 'symlink', linkText: 'x' } },
        { path: path('/etc/d'), was: { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } },
      ],
    ),
  ].join('');
  expect(text).toBe(
    [
      '# Made by activate: goes from one generation to the next.',
      'd /etc/a - - -',
      'L /etc/a/b - - - - x',
      String.raw`r "/etc/c\\*"`,
      'r /etc/d',
      '',
    ].join('\n'),
  );
});

test('what systemd-tmpfiles cannot make is told from what it can', () => {
  expect(whyNotPlaceable(direct('/etc/a', 'x'.repeat(4095)), '/o')).toBeUndefined();
  expect(whyNotPlaceable(direct('/etc/a', 'x'.repeat(4096)), '/o')).toContain('the link text is too long');
  expect(whyNotPlaceable(directory('/etc/a', { uid: 65_535 }), '/o')).toBe(
    'systemd-tmpfiles refuses 65535 as a user or group',
  );
  expect(whyNotPlaceable(copied(`/etc/${'d/'.repeat(60)}x`), `/${'o'.repeat(4000)}`)).toContain(
    'the source is too long',
  );
});
