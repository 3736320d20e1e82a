import { describe, expect, test } from 'bun:test';
import { renderStatus, type Status } from '../../../src/core/report/status-report';
import { path } from '../../support/entries';
import { one, two } from '../../support/generations';

const ageOf = (iso: string): number => (iso === one.created ? 3 * 86_400_000 : 0);

const status: Status = {
  live: 9,
  default: 9,
  booted: undefined,
  hook: 'addon',
  staleHookFiles: [],
  staleInitrds: false,
  boot: undefined,
  passesOver: undefined,
  tries: {},
  generations: [one, two],
  interrupted: undefined,
  unsettled: undefined,
  pointer: 'right',
  content: 'there',
  mounts: {},
  managed: 3,
  drifted: [],
  columns: [],
  reboot: undefined,
  claims: [],
  kept: [],
  merged: [],
  protection: 'immutable',
  backups: 0,
  displaced: 0,
  unread: [],
};

describe('a status', () => {
  const LIVE = String.raw`live     generation 9, made 2026-01-02 03:04:05 (3 days ago): "/srv/a b\a" (tree)`;

  test.each<[string, Partial<Status>, string[]]>([
    [
      'where all is well',
      {},
      [
        LIVE,
        'default  the same',
        'booted   unknown: no boot hook said so',
        'hook     addon: an add-on for systemd initrds, placed by kernel-install; this boot began without it',
        "paths    3 managed, 0 drifted, 0 kept as the machine's, 0 originals to come back",
      ],
    ],
    [
      'where nothing is managed',
      { live: 0, default: 0, hook: undefined },
      ['live     generation 0: nothing is managed', 'default  the same', 'booted   unknown: no boot hook said so'],
    ],
    [
      'where much is to be said',
      {
        default: 10,
        booted: 7,
        hook: undefined,
        interrupted: { from: 9, to: 10 },
        pointer: 'wrong',
        displaced: 1,
        drifted: ['/etc/a\n'],
        columns: [
          { path: path('/etc/a\n'), since: 'M', next: 'T' },
          { path: path('/etc/e'), since: undefined, next: 'A' },
        ],
        reboot: ['kernel', 'systemd'],
        claims: [{ path: path('/etc/mtab'), file: '/usr/lib/tmpfiles.d/debian.conf', line: 14, type: 'L+' }],
        kept: ['/etc/b'],
        merged: ['/etc/d'],
        protection: 'none',
        backups: 2,
        unread: ['/etc/c'],
      },
      [
        LIVE,
        'default  generation 10, made 2026-01-02 03:04:05 (3 days ago): /nix/store/0-x (nixos)',
        'booted   generation 7',
        'The transition from generation 9 to 10 is under way or was interrupted: `activate resume`.',
        'The pointer /run/filesystem-overlay is wrong: `activate switch 9` puts it right.',
        "paths    3 managed, 1 drifted, 1 kept as the machine's, 1 original to come back",
        '  first what changed since it was written, then what the default would change',
        '  (A added, M modified, D deleted, T of another kind):',
        String.raw`  M T  "/etc/a\n"`,
        '    A  /etc/e',
        '  kept: /etc/b',
        '  merged: /etc/d',
        '  not read: /etc/c',
        'What is kept stays until `--on-conflict backup` or `--on-drift backup` takes it over, or it is the same.',
        'backups  2: `activate backups`',
        'Generation 9 is not protected: its filesystem has no immutable files, so what writes through a link changes the record. `activate verify` finds that.',
        '`activate diff 9` shows what putting it right would change; `activate switch 9` does it.',
        'reboot   needed: kernel, systemd of the default generation differ from what was booted',
        "tmpfiles 1 line of the machine's own tmpfiles.d will change managed paths at the next boot:",
        '  /etc/mtab: L+ in /usr/lib/tmpfiles.d/debian.conf:14',
      ],
    ],
  ])('%s', (_, more, lines) => {
    expect(renderStatus({ ...status, ...more }, 'text', ageOf)).toBe(lines.map((line) => `${line}\n`).join(''));
    expect(JSON.parse(renderStatus({ ...status, ...more }, 'json', ageOf))).toEqual({
      schema: 1,
      ...status,
      booted: null,
      boot: null,
      passesOver: null,
      reboot: null,
      interrupted: null,
      unsettled: null,
      ...more,
      hook: 'hook' in more ? null : 'addon',
    });
  });

  test('of a machine that would boot on links that lead nowhere says so', () => {
    const line = 'hook     none: the next boot would find links that lead nowhere; `activate install`\n';
    expect(renderStatus({ ...status, hook: undefined }, 'text', ageOf)).toContain(line);
    const stale = { booted: 9, staleHookFiles: ['/usr/lib/activate/boot'] };
    expect(renderStatus({ ...status, ...stale }, 'text', ageOf)).toContain(
      'placed by kernel-install\n1 file of the hook not as this version has them; `activate install`:\n  changed: /usr/lib/activate/boot\n',
    );
    expect(renderStatus({ ...status, hook: undefined, booted: 9 }, 'text', ageOf)).not.toContain('hook ');
  });

  const boot = { hook: 'initrd', wanted: 10, chosen: 9, why: 'it is before the default', brought: true };
  test.each<[string, Partial<Status>, string[]]>([
    [
      'that is as wanted',
      { boot: { ...boot, wanted: 9, why: '', passed: [], brought: false } },
      ['boot     generation 9, as wanted, by the initrd hook'],
    ],
    [
      'that passed over two',
      {
        boot: {
          ...boot,
          passed: [
            { generation: 10, why: 'its \u0007 is gone' },
            { generation: 8, why: '' },
          ],
        },
      },
      [
        'boot     generation 10 was wanted; the initrd hook chose 9: it is before the default',
        '  passed over 10: its ^G is gone',
        '  passed over 8',
        '  /etc was brought to generation 9 from another one',
      ],
    ],
  ])('of a boot %s', (_, more, lines) => {
    const text = renderStatus({ ...status, booted: 9, ...more }, 'text', ageOf);
    expect(text).toContain(`\n${lines.map((line) => `${line}\n`).join('')}paths `);
  });

  test('of a boot that came too late, as the hook in the initrd did not run, says what to do', () => {
    const late = { ...boot, hook: 'fallback', wanted: 9, why: 'the default', passed: [], brought: false };
    const text = renderStatus({ ...status, hook: 'dracut', booted: 9, boot: late }, 'text', ageOf);
    expect(text).toContain(
      [
        'hook     dracut: initrds made by dracut',
        '  It did not run in this boot: what was read in /etc before the service ran was not there.',
        '  Have the initrds made anew: `dracut --regenerate-all --force`.',
        '  Then reboot.',
        'boot     generation 9, as wanted, by a service, late: the default',
        '',
      ].join('\n'),
    );
    const wrapper = renderStatus({ ...status, hook: 'init', booted: 9, boot: late }, 'text', ageOf);
    expect(wrapper).toContain('\n  Put init=/usr/lib/activate/init on the kernel command line: ');
  });

  test('of a boot whose record is damaged', () => {
    expect(renderStatus({ ...status, boot: 'damaged' }, 'text', ageOf)).toContain(
      'booted   unknown: /run/activate/boot.json is damaged\n',
    );
  });

  test('of a boot that is not recorded yet says what records it', () => {
    const text = renderStatus({ ...status, unsettled: 10, pointer: 'wrong' }, 'text', ageOf);
    expect(text).toContain(
      'A boot brought /etc to generation 10, and that is not recorded yet: `activate resume`.\npaths ',
    );
  });

  test('of trials says how many tries are left', () => {
    const text = renderStatus({ ...status, default: 10, tries: { 9: 1, 10: 0 } }, 'text', ageOf);
    expect(text).toContain(`${LIVE}, on trial: 1 try left\n`);
    expect(text).toContain('(nixos), no tries left\n');
  });

  test.each<[string, Partial<Status>, string]>([
    [
      'without tries',
      { default: 10, passesOver: 'it has no tries left' },
      'The next boot passes over generation 10, the default: it has no tries left.\n`activate switch 10` trusts it; `activate boot 9` gives it up.\n',
    ],
    [
      'that is damaged',
      { booted: 8, passesOver: 'the image is damaged' },
      'The next boot passes over generation 9, the default: the image is damaged.\nMend that, or switch to its closure again; `activate boot 8` gives it up.\n',
    ],
    [
      'with nothing else',
      { booted: 9, passesOver: 'x' },
      'the default: x.\nMend that, or switch to its closure again.\n',
    ],
  ])('of a default %s says what to do', (_, more, text) => {
    expect(renderStatus({ ...status, ...more }, 'text', ageOf)).toContain(text);
  });

  test('of a generation whose content is gone says what to do', () => {
    expect(renderStatus({ ...status, content: 'gone', pointer: 'wrong' }, 'text', ageOf)).toContain(
      'What generation 9 shows is gone: switch to its closure again, or `activate rollback`.\n',
    );
  });

  test('names ten paths of a kind, and counts the others', () => {
    const columns = Array.from({ length: 13 }, (_, index) => ({
      path: path(`/etc/${index}`),
      since: 'M' as const,
      next: undefined,
    }));
    const text = renderStatus({ ...status, columns, kept: columns.map((each) => each.path) }, 'text', ageOf);
    expect(text.match(/^ {2}M {4}\/etc/gmu)).toHaveLength(10);
    expect(text.match(/^ {2}kept: /gmu)).toHaveLength(10);
    expect(text.match(/^ {2}and 3 more$/gmu)).toHaveLength(2);
  });
});
