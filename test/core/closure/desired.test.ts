import { describe, expect, test } from 'bun:test';
import { desiredEntries, foreignDirectories } from '../../../src/core/closure/desired';
import type { Item } from '../../../src/core/closure/listing';
import type { Entry } from '../../../src/core/entry';
import type { HookName } from '../../../src/core/hooks/hook';
import { ActivateError } from '../../../src/core/errors';
import { parsePolicy } from '../../../src/core/policy/policy';
import type { ClosureFormat } from '../../../src/core/records/manifest';
import { directory, linked, path } from '../../support/entries';

type Kind = string | { readonly mode: number; readonly uid?: number } | { readonly text: string };

/** An etc: a text is a link, `{ text }` a sidecar, a name with a slash at its end a directory, all else a file. */
function itemsOf(contents: Readonly<Record<string, Kind>>): Item[] {
  const items: Item[] = [{ path: path('/etc'), kind: 'directory', mode: 0o755, uid: 0, gid: 0 }];
  for (const [name, what] of Object.entries(contents)) {
    const at = path(`/etc/${name.replace(/\/$/u, '')}`);
    if (typeof what === 'string') items.push({ path: at, kind: 'symlink', linkText: what });
    else if ('text' in what) items.push({ path: at, kind: 'file', mode: 0o444, uid: 0, gid: 0, sizeBytes: 4, ...what });
    else {
      const ownership = { mode: what.mode, uid: what.uid ?? 0, gid: 0 };
      if (name.endsWith('/')) items.push({ path: at, kind: 'directory', ...ownership });
      else items.push({ path: at, kind: 'file', ...ownership, sizeBytes: 9 });
    }
  }
  return items;
}

function desired(
  contents: Readonly<Record<string, Kind>>,
  rules = '',
  format: ClosureFormat = 'tree',
  hook?: HookName,
): readonly Entry[] {
  return desiredEntries({
    listing: { closure: '/c', items: itemsOf(contents) },
    format,
    policy: parsePolicy(`schema = 1\n${rules}`, 'p'),
    users: new Map([['alice', 1000]]),
    groups: new Map([['users', 100]]),
    hook,
  });
}

/** Path, placement, kind and what else is worth saying, without /etc itself. */
function inShort(entries: readonly Entry[]): string[] {
  return entries
    .filter((entry) => entry.path !== '/etc')
    .map((entry) => {
      const ownership = 'mode' in entry ? ` ${entry.mode.toString(8)} ${entry.uid}:${entry.gid}` : '';
      const more = 'linkText' in entry ? ` ${entry.linkText}` : 'source' in entry ? ` ${entry.source}` : '';
      return `${entry.place} ${entry.path.slice(5)} ${entry.kind}${ownership}${more}`;
    });
}

const file = { mode: 0o644 };
const rule = (match: string, rest: string): string => `[[path]]\nmatch = "${match}"\n${rest}\n`;

describe('in a tree', () => {
  test.each<[string, Readonly<Record<string, Kind>>, string, string[]]>([
    [
      'files are shown, links keep their text',
      { a: file, b: '../x' },
      '',
      ['link a file 644 0:0', 'direct b symlink ../x'],
    ],
    [
      'directories are made',
      { 'd/': { mode: 0o700 }, 'd/x': file },
      '',
      ['directory d directory 700 0:0', 'link d/x file 644 0:0'],
    ],
    [
      'accounts are seeds',
      { passwd: file, 'shadow-': { mode: 0o600 } },
      '',
      ['seed passwd file 644 0:0', 'seed shadow- file 600 0:0'],
    ],
    [
      'what the machine is called is a seed',
      { hostname: file, fstab: 'x' },
      '',
      ['seed hostname file 644 0:0', 'seed fstab symlink x'],
    ],
    ['sudoers is copied, and a lock left out', { '.pwd.lock': file, sudoers: file }, '', ['copy sudoers file 644 0:0']],
    ['a rule places', { a: file, b: 'x' }, rule('*', 'place = "copy"'), ['copy a file 644 0:0', 'direct b symlink x']],
    [
      'a rule with a mode or owner copies',
      { a: file, b: file },
      rule('a', 'mode = "0400"\nowner = "alice"\ngroup = "users"'),
      ['copy a file 400 1000:100', 'link b file 644 0:0'],
    ],
    [
      'the first rule that places wins',
      { a: file },
      rule('a', 'on-drift = "keep"') + rule('a', 'place = "seed"') + rule('*', 'place = "copy"'),
      ['seed a file 644 0:0'],
    ],
    [
      'a rule that only speaks of drift hides no built-in rule',
      { passwd: file },
      rule('/etc/passwd', 'on-drift = "keep"'),
      ['seed passwd file 644 0:0'],
    ],
    [
      'a rule may say that accounts are copied',
      { passwd: file },
      rule('/etc/passwd', 'place = "copy"'),
      ['copy passwd file 644 0:0'],
    ],
    [
      'accounts that are a link of the tree are one all the same',
      { 'group-': '/usr/x' },
      '',
      ['seed group- symlink /usr/x'],
    ],
    [
      'what is skipped is skipped with all below',
      { 'd/': { mode: 0o755 }, 'd/e/': { mode: 0o755 }, 'd/e/x': file, y: file },
      rule('/etc/d', 'place = "skip"'),
      ['link y file 644 0:0'],
    ],
    [
      'a directory is one link',
      { 'd/': { mode: 0o755 }, 'd/x': file, dx: file },
      rule('/etc/d/', 'place = "link"'),
      ['link d whole-directory', 'link dx file 644 0:0'],
    ],
    [
      'a directory is named',
      { 'd/': { mode: 0o755 }, 'd/x': file },
      rule('/etc/d', 'place = "directory"\nmode = "0711"'),
      ['directory d directory 711 0:0', 'link d/x file 644 0:0'],
    ],
    ['links may be shown through the pointer', { b: 'x' }, rule('b', 'place = "link"'), ['link b symlink x']],
    [
      'what is below another user’s directory is copied',
      { 'd/': { mode: 0o755, uid: 7 }, 'd/e/': { mode: 0o755 }, 'd/e/x': file, z: file },
      '',
      [
        'directory d directory 755 7:0',
        'directory d/e directory 755 0:0',
        'copy d/e/x file 644 0:0',
        'link z file 644 0:0',
      ],
    ],
    ['sidecars are files like others', { 'a.mode': file }, '', ['link a.mode file 644 0:0']],
  ])('%s', (_, contents, rules, expected) => {
    expect(inShort(desired(contents, rules))).toEqual(expected);
  });
});

describe('in a store closure', () => {
  test.each<[string, Readonly<Record<string, Kind>>, string, string[]]>([
    ['links alone are entries', { a: '/nix/store/0-a', b: file }, '', ['link a symlink /nix/store/0-a']],
    [
      'directories are there for what is in them',
      { 'd/': { mode: 0o555 }, 'd/a': '/nix/store/0-a', 'e/': { mode: 0o555 } },
      '',
      ['directory d directory 755 0:0', 'link d/a symlink /nix/store/0-a'],
    ],
    [
      'sidecars say that a file is copied',
      { a: '/nix/store/0-a', 'a.mode': { text: '0440\n' }, 'a.uid': { text: 'alice' }, 'a.gid': { text: '+100' } },
      '',
      ['copy a file 440 1000:100 /nix/store/0-a'],
    ],
    [
      'or that a link keeps its text',
      { a: '/nix/store/0-a', 'a.mode': { text: 'direct-symlink' } },
      '',
      ['direct a symlink /nix/store/0-a'],
    ],
    [
      'an owner without a mode says nothing',
      { a: '/nix/store/0-a', 'a.uid': { text: '+7' } },
      '',
      ['link a symlink /nix/store/0-a'],
    ],
    [
      'a rule says more than a sidecar',
      { a: '/nix/store/0-a', 'a.mode': { text: '0440' } },
      rule('a', 'place = "direct"'),
      ['direct a symlink /nix/store/0-a'],
    ],
    [
      'a rule copies with the mode of a store file',
      { a: '/nix/store/0-a' },
      rule('a', 'place = "copy"'),
      ['copy a file 444 0:0 /nix/store/0-a'],
    ],
    [
      'accounts are seeds, and what it declares is not',
      { passwd: '/nix/store/0-p', hostname: '/nix/store/0-h' },
      '',
      ['seed passwd file 444 0:0 /nix/store/0-p', 'link hostname symlink /nix/store/0-h'],
    ],
  ])('%s', (_, contents, rules, expected) => {
    expect(inShort(desired(contents, rules, 'nixos'))).toEqual(expected);
  });
});

describe('what is read before a boot hook runs', () => {
  const store = {
    fstab: '/nix/store/0-f',
    'machine-id': '/nix/store/0-m',
    hostname: '/nix/store/0-h',
    hosts: '/nix/store/0-x',
  };

  test.each<[HookName | undefined, string[]]>([
    [undefined, ['link fstab', 'link hostname', 'link hosts', 'seed machine-id']],
    ['init', ['link fstab', 'link hostname', 'link hosts', 'seed machine-id']],
    ['dracut', ['copy fstab', 'link hostname', 'link hosts', 'seed machine-id']],
    ['oneshot', ['copy fstab', 'copy hostname', 'link hosts', 'seed machine-id']],
  ])('is real with %s', (hook, expected) => {
    const short = inShort(desired(store, '', 'nixos', hook)).map((line) => line.split(' ').slice(0, 2).join(' '));
    expect(short.toSorted()).toEqual(expected.toSorted());
  });

  test('is what a policy says all the same, and links of a tree stay what they are', () => {
    expect(inShort(desired(store, rule('/etc/fstab', 'place = "link"'), 'nixos', 'oneshot'))).toContain(
      'link fstab symlink /nix/store/0-f',
    );
    expect(inShort(desired({ 'locale.conf': 'default/locale' }, '', 'tree', 'oneshot'))).toEqual([
      'direct locale.conf symlink default/locale',
    ]);
    const modules = { 'modprobe.d/': { mode: 0o755 }, 'modprobe.d/x.conf': file };
    expect(inShort(desired(modules, '', 'tree', 'oneshot'))).toEqual([
      'directory modprobe.d directory 755 0:0',
      'copy modprobe.d/x.conf file 644 0:0',
    ]);
  });
});

describe('is refused:', () => {
  function refusal(contents: Readonly<Record<string, Kind>>, rules = '', format: ClosureFormat = 'tree'): string {
    try {
      desired(contents, rules, format);
      return 'fine';
    } catch (error) {
      if (!(error instanceof ActivateError)) throw error;
      expect(error.hint).toEndWith('.');
      return `${error.code} ${error.path}: ${error.message}`;
    }
  }

  test.each<[string, Readonly<Record<string, Kind>>, string, ClosureFormat, string]>([
    ['a newline', { 'a\nb': file }, '', 'tree', 'CLOSURE /etc/a\nb: systemd-tmpfiles cannot be told of a name with'],
    ['a reserved name', { '.activate.': file }, '', 'tree', 'CLOSURE /etc/.activate.: names that begin with'],
    [
      'a name that is too long',
      { ['x'.repeat(256)]: file },
      '',
      'tree',
      `CLOSURE /etc/${'x'.repeat(256)}: the name is too`,
    ],
    [
      'a file that is placed direct',
      { a: file },
      rule('a', 'place = "direct"'),
      'tree',
      'POLICY p:2: path[1], for /etc/a: a regular',
    ],
    [
      'a user that is not there',
      { a: file },
      rule('a', 'owner = "bob"'),
      'tree',
      'POLICY p:2: path[1]: there is no user or',
    ],
    [
      'a rule in another user’s directory',
      { 'd/': { mode: 0o755, uid: 7 }, 'd/x': file },
      rule('/etc/d/x', 'mode = "0600"'),
      'tree',
      'POLICY p:2: path[1], for /etc/d/x: no rule may',
    ],
    [
      'a store directory for another user',
      { 'd/': { mode: 0o755 }, 'd/x': '/nix/store/0' },
      rule('/etc/d', 'place = "directory"\nowner = 7'),
      'nixos',
      'POLICY p:2: path[1], for /etc/d: a directory that holds',
    ],
    [
      'accounts through the pointer',
      { shadow: file },
      rule('/etc/shadow', 'place = "link"'),
      'tree',
      'POLICY p:2: path[1], for /etc/shadow: this is never a link',
    ],
    [
      'the lock of accounts through the pointer',
      { '.pwd.lock': file },
      rule('/etc/**', 'place = "link"'),
      'tree',
      'POLICY p:2: path[1], for /etc/.pwd.lock: this is never a link',
    ],
    [
      'accounts as a link of a store',
      { passwd: '/nix/store/0-p' },
      rule('passwd', 'place = "direct"'),
      'nixos',
      'POLICY p:2: path[1], for /etc/passwd: this is never a link',
    ],
    [
      'a sidecar mode',
      { a: 'x', 'a.mode': { text: '9' } },
      '',
      'nixos',
      'CLOSURE /etc/a.mode: the mode is neither octal nor direct-symlink: "9"',
    ],
    [
      'a sidecar owner',
      { a: 'x', 'a.mode': { text: '0440' }, 'a.gid': { text: 'bobs' } },
      '',
      'nixos',
      'CLOSURE /etc/a.gid: there is no user or group "bobs"',
    ],
  ])('%s', (_, contents, rules, format, expected) => {
    expect(refusal(contents, rules, format)).toStartWith(expected);
  });
});

test('the topmost directories of other users, and whether anything is in them', () => {
  const entries = [
    directory('/etc'),
    directory('/etc/a', { uid: 7 }),
    directory('/etc/a/b', { uid: 8 }),
    directory('/etc/c', { uid: 7 }),
    linked('/etc/d'),
  ];
  expect(foreignDirectories(entries)).toEqual(
    new Map([
      [path('/etc/a'), true],
      [path('/etc/c'), false],
    ]),
  );
});
