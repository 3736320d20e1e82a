import { afterAll, describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { type Described, describedBy, differencesOf, lastingDifferences, withoutOurs } from '../support/vm/comparing';
import { alterDisk } from '../support/vm/damage';
import { bootWith, bootWithout, type Hook, installOf } from '../support/vm/hooks';
import { type MachineFiles, machineFiles } from '../support/vm/image';
import { boot, type Booted, type BootOptions, type Disk, FEW_SERVICES, forkDisk } from '../support/vm/qemu';
import { bootRecordIn, KEEP_BOOT_RECORD, noteRoles, roles, rolesIn } from '../support/vm/roles';
import { insist } from '../support/vm/running';

// A machine that cannot show its default generation shows the one before, links and all, and says so; where none can be shown it
// stops in a shell, and nothing was written into /etc. Generation 1 is a tree, 2 an image, 3 a tree, and the default.

const LIMIT_MS = 3_600_000;
const activate = resolve(import.meta.dir, '../../dist/activate');
const scratch = makeTemporaryDirectory();
afterAll(() => removeTree(scratch));

interface Managed {
  readonly machine: MachineFiles;
  readonly disk: Disk;
  /** With the add-on appended to a plain initrd. */
  readonly initrds: readonly string[];
}

let managing: Promise<Managed> | undefined;
const managed = async (): Promise<Managed> => (managing ??= manage());

async function manage(): Promise<Managed> {
  const machine = await machineFiles('bookworm');
  const closures = Object.fromEntries(['one', 'two', 'three'].map((name) => [name, join(scratch, name)]));
  for (const [name, closure] of Object.entries(closures)) {
    mkdirSync(closure);
    await insist(['cp', '-a', join(machine.root, 'etc'), join(closure, 'etc')]);
    const own = `mkdir etc/site.d && echo ${name} >etc/site.d/marker && echo ${name} >etc/site.d/${name} && ln -s ${name} etc/site.d/link`;
    await insist(['sh', '-euc', own], { cwd: closure });
  }
  const image = join(scratch, 'image');
  await insist([activate, 'generate', closures['two'] ?? '', '--output', image, '--image', 'squashfs']);
  const disk = await forkDisk({ file: machine.disk, format: 'raw' }, scratch);
  const run = [
    'set -e',
    'activate switch "$PWD/one"',
    'activate switch "$PWD/image"',
    'activate switch "$PWD/three"',
    installOf.addon,
    noteRoles('roles'),
  ].join('\n');
  const payload = { one: closures['one'] ?? '', image, three: closures['three'] ?? '' };
  const booted = await boot(machine, disk, { writes: 'keep', append: FEW_SERVICES, run, payload });
  expect({ ended: booted.ended, status: booted.status, stderr: booted.results['stderr'] }).toEqual({
    ended: 'run',
    status: 0,
    stderr: expect.any(String),
  });
  expect(rolesIn(booted, 'roles')).toEqual(roles(3, 3, null));
  const { initrds = [] } = await bootWith(machine, 'addon');
  return { machine, disk, initrds };
}

const LOOK = [
  KEEP_BOOT_RECORD,
  noteRoles('roles'),
  'activate status >"$RESULTS/status"',
  'activate verify >"$RESULTS/verify" 2>&1; echo $? >>"$RESULTS/verify"',
  'ls /etc/site.d >"$RESULTS/site"; cat /etc/site.d/marker >>"$RESULTS/site"',
  'find -L /etc -type l >"$RESULTS/dangling"',
  'journalctl --boot --output=cat --grep="boot hook" >"$RESULTS/journal"',
  'systemctl is-active ssh.service site.service srv-scratch.mount >"$RESULTS/active"',
].join('\n');

const SITE: Readonly<Record<number, string>> = {
  1: 'link\nmarker\none\none\n',
  2: 'link\nmarker\ntwo\ntwo\n',
  3: 'link\nmarker\nthree\nthree\n',
};

/** What a machine in emergency mode is asked: what the accounts and /etc are, and whether it says why. */
const EMERGENCY = [
  'cat /sysroot/etc/machine-id /sysroot/etc/hostname >"$RESULTS/identity"',
  'grep -c . /sysroot/etc/passwd >"$RESULTS/accounts"',
  'ls -ld /sysroot/etc/hosts /sysroot/etc/systemd/system/multi-user.target.wants/ssh.service >"$RESULTS/links"',
].join('\n');

async function bootBroken(script: string, options: BootOptions = {}): Promise<Booted> {
  const { machine, disk, initrds } = await managed();
  const broken = await alterDisk(disk, script, scratch);
  return boot(machine, broken, { initrds, append: `ro ${FEW_SERVICES}`, run: LOOK, emergency: EMERGENCY, ...options });
}

const S = 'var/lib/activate';
const SET_DEFAULT = (number: number): string => `ln -sfn generations/${number} ${S}/default`;
const UNLOCK = `chattr -R -f -i ${S}/generations || true`;
const BREAK_IMAGE = `${UNLOCK}; printf X | dd of=${S}/generations/2/image.squashfs bs=1 seek=5000 conv=notrunc status=none`;
const TRUNCATE_IMAGE = `${UNLOCK}; truncate -s 8192 ${S}/generations/2/image.squashfs`;

interface Case {
  readonly what: string;
  readonly script: string;
  readonly wanted: number;
  readonly chosen: number;
  readonly passed: readonly { readonly generation: number; readonly why: string }[];
}

const cases: readonly Case[] = [
  {
    what: 'a damaged image',
    script: `${SET_DEFAULT(2)}; ${BREAK_IMAGE}`,
    wanted: 2,
    chosen: 1,
    passed: [{ generation: 2, why: 'its image is damaged' }],
  },
  {
    what: 'a missing tree, and a truncated image before it',
    script: `${TRUNCATE_IMAGE}; rm -r ${S}/generations/3/tree`,
    wanted: 3,
    chosen: 1,
    passed: [
      { generation: 3, why: 'what it shows is not there' },
      { generation: 2, why: 'its image is damaged' },
    ],
  },
  {
    what: 'a default that names nothing',
    script: SET_DEFAULT(9),
    wanted: 9,
    chosen: 3,
    passed: [{ generation: 9, why: 'it is not there' }],
  },
  {
    what: 'a trial that has no tries left',
    script: `${UNLOCK}; echo 0 >${S}/generations/3/tries`,
    wanted: 3,
    chosen: 2,
    passed: [{ generation: 3, why: 'it has no tries left' }],
  },
];

describe('a boot of a machine with', () => {
  test.concurrent.each([...cases])(
    '$what',
    async ({ script, wanted, chosen, passed }) => {
      const booted = await bootBroken(script);
      expect({ ended: booted.ended, console: booted.ended === 'run' ? '' : booted.console }).toEqual({
        ended: 'run',
        console: '',
      });
      expect(bootRecordIn(booted)).toMatchObject({ wanted, chosen, passed: [...passed] });
      expect(booted.results['site']).toBe(SITE[chosen] ?? '');
      expect(booted.results['dangling']).toBe('');
      expect(booted.results['active']).toBe('active\nactive\nactive\n');
      expect(rolesIn(booted, 'roles')).toMatchObject({ live: chosen, booted: chosen, pointer: 'right', drifted: [] });
      expect(booted.results['verify']).toEndWith('\n0\n');
      for (const { why } of passed) expect(booted.results['status']).toContain(why);
    },
    LIMIT_MS,
  );

  test.concurrent(
    'an empty /etc shows what the closure says, and is the same machine',
    async () => {
      const { machine, disk, initrds } = await managed();
      const run = ['/usr/lib/vm-test/describe "$RESULTS/state"', LOOK].join('\n');
      const emptied = await alterDisk(disk, 'rm -rf etc', scratch);
      const compare = async (): Promise<string[]> => {
        const boots = [disk, emptied].map(async (each) => boot(machine, each, { initrds, append: 'ro', run }));
        const described: Described[] = [];
        for (const booted of await Promise.all(boots)) {
          expect(booted.ended).toBe('run');
          expect(rolesIn(booted, 'roles')).toEqual(roles(3, 3, 3));
          expect(bootRecordIn(booted)).toMatchObject({ wanted: 3, chosen: 3, passed: [] });
          described.push(withoutOurs(describedBy(booted)));
        }
        const [was = {}, is = {}] = described;
        // The lock of those who change accounts is no closure's: whoever is the first to need it makes it.
        return differencesOf(was, is).filter((line) => !line.includes(' /etc/.pwd.lock'));
      };
      expect(await lastingDifferences('an empty /etc', [compare, compare])).toEqual([]);
    },
    LIMIT_MS,
  );
});

test(
  'an initrd that was made before the hook was installed is made good for by a service, which says so',
  async () => {
    const { machine } = await managed();
    const { initrds = [] } = await bootWithout(machine, 'addon');
    const booted = await bootBroken('true', { initrds });
    expect({ ended: booted.ended, console: booted.ended === 'run' ? '' : booted.console }).toEqual({
      ended: 'run',
      console: '',
    });
    expect(bootRecordIn(booted)).toMatchObject({ hook: 'fallback', wanted: 3, chosen: 3, brought: false });
    expect(booted.results['site']).toBe(SITE[3] ?? '');
    expect(booted.results['dangling']).toBe('');
    expect(booted.results['active']).toBe('active\nactive\nactive\n');
    expect(rolesIn(booted, 'roles')).toEqual(roles(3, 3, 3));
    expect(booted.results['verify']).toEndWith('\n0\n');
    expect(booted.results['status']).toContain('It did not run in this boot');
    expect(booted.results['journal']).toContain('the boot hook has not run');
  },
  LIMIT_MS,
);

describe('a shell, and nothing written, where there is', () => {
  test.concurrent.each([
    { what: 'no state directory', script: `${UNLOCK}; rm -rf ${S}`, says: 'there is no record of any generation' },
    {
      what: 'no generation that can be shown',
      script: `${BREAK_IMAGE}; rm -r ${S}/generations/1 ${S}/generations/3`,
      says: 'no generation can be shown',
    },
  ])(
    '$what',
    async ({ script, says }) => {
      const booted = await bootBroken(script);
      expect(booted.ended).toBe('emergency');
      expect(booted.results['journal']).toContain(says);
      expect(booted.results['failed-units']).toContain('activate-initrd.service');
      expect(booted.results['identity']).toBe('5ca1ab1e0ddba11c0ffee0ddba11d00d\norion\n');
      expect(Number(booted.results['accounts'])).toBeGreaterThan(20);
      expect(booted.results['links']).toContain('/run/filesystem-overlay/etc/hosts');
    },
    LIMIT_MS,
  );
});

/** No generation can be shown, until somebody comes who brings back what is away. */
const AWAY = `${UNLOCK}; mkdir ${S}/away; mv ${S}/generations/1 ${S}/generations/2 ${S}/generations/3 ${S}/away/`;
const bringBack = (top: string): string =>
  `mount -o remount,rw ${top === '' ? '/' : top}; mv ${top}/${S}/away/2 ${top}/${S}/generations/\n`;
/** As if it were installed on the machine while it runs. */
const INSTALL_INIT = `mount -t proc proc proc; chroot . ${installOf.init}; umount proc`;
const INIT = 'init=/usr/lib/activate/init';
const BLANK_PASSWORD = "sed -i 's/^root:[^:]*:/root::/' etc/shadow";

/** The end of what `sulogin` asks: what is typed before it is lost. */
const PASSWORD = /Press Enter for maintenance[^]*continue\): $/u;

interface Conversation extends BootOptions {
  readonly what: string;
  readonly script: string;
  readonly hook: Hook;
  readonly chosen: number;
}

const conversations: readonly Conversation[] = [
  {
    what: 'has a shell first, and chooses from a menu then',
    script: INSTALL_INIT,
    hook: 'init',
    append: `${INIT} activate.mode=shell activate.interactive=1 activate.timeout=300`,
    answers: [
      {
        after: /the boot goes on when it ends/u,
        type: 'readlink /run/filesystem-overlay || echo shows $((6 * 7 - 42)); exit\n',
      },
      { after: /shows 0[^]*which one\? \[3\]/u, type: '1\n' },
    ],
    chosen: 1,
  },
  {
    what: 'mends what the init wrapper cannot show, with the password of root',
    script: `${INSTALL_INIT}; ${AWAY}; ${BLANK_PASSWORD}`,
    hook: 'init',
    append: INIT,
    answers: [
      { after: PASSWORD, type: '\n' },
      { after: /[#$] $/u, type: `${bringBack('')}exit\n` },
    ],
    chosen: 2,
  },
  {
    what: 'mends what an initrd of initramfs-tools cannot show',
    script: AWAY,
    hook: 'initramfs-tools',
    // Whoever has it reboot by itself does not want to be asked.
    append: 'panic=',
    answers: [{ after: /\(initramfs\) $/u, type: `${bringBack('/root')}exit\n` }],
    chosen: 2,
  },
  {
    what: 'mends what an initrd of dracut cannot show',
    script: AWAY,
    hook: 'dracut',
    answers: [
      { after: PASSWORD, type: '\n' },
      { after: /[#$] $/u, type: `${bringBack('/sysroot')}exit\n` },
    ],
    chosen: 2,
  },
];

describe('somebody at the console', () => {
  test.concurrent.each([...conversations])(
    '$what',
    async ({ script, hook, chosen, append = '', answers = [] }) => {
      const { machine } = await managed();
      const { initrds = [] } = await bootWith(machine, hook);
      const booted = await bootBroken(script, {
        initrds,
        append: `ro ${FEW_SERVICES} ${append}`,
        answers,
        limitMs: 300_000,
      });
      expect({ ended: booted.ended, console: booted.ended === 'run' ? '' : booted.console }).toEqual({
        ended: 'run',
        console: '',
      });
      expect(bootRecordIn(booted)).toMatchObject({ chosen });
      expect(booted.results['site']).toBe(SITE[chosen] ?? '');
      expect(booted.results['dangling']).toBe('');
      expect(rolesIn(booted, 'roles')).toMatchObject({ live: chosen, booted: chosen, pointer: 'right', drifted: [] });
    },
    LIMIT_MS,
  );
});
