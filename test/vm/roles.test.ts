import { afterAll, describe, expect, test } from 'bun:test';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { describedBy, differencesOf, lastingDifferences, withoutOurs } from '../support/vm/comparing';
import { machineFiles } from '../support/vm/image';
import { boot, type Booted, type Disk, forkDisk } from '../support/vm/qemu';
import { bootRecordIn, KEEP_BOOT_RECORD, noteRoles, roles, rolesIn } from '../support/vm/roles';

// Switches on a running machine, and what its next boots show: live, default and booted are what they are said to be. Each step
// goes on with the disk that the one before left.

const LIMIT_MS = 3_600_000;
const scratch = makeTemporaryDirectory();
afterAll(() => removeTree(scratch));

/** Two closures: the machine's own /etc, and one where units, drop-ins, enablement, settings and the kind of a path are others. */
const MAKE_CLOSURES = `
set -e
mkdir /etc/site.d && echo first >/etc/site.d/marker && echo first >/etc/site-kind
mkdir -p /var/closures/first && cp -a /etc /var/closures/first/etc
cp -a /var/closures/first /var/closures/second
cd /var/closures/first/etc/systemd/system
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n' >site-old.service
ln -s /etc/systemd/system/site-old.service multi-user.target.wants/site-old.service
cd /var/closures/second/etc
echo second >site.d/marker && echo more >site.d/more
rm site-kind && mkdir site-kind && echo second >site-kind/inside
sed -i 's/swappiness = 23/swappiness = 29/' sysctl.d/50-site.conf
sed -i 's/Nice=3/Nice=5/' systemd/system/redis-server.service.d/site.conf
sed -i 's/Description=.*/Description=second/' systemd/system/site.service
printf '[Service]\\nType=oneshot\\nRemainAfterExit=yes\\nExecStart=/bin/true\\n' >systemd/system/site-new.service
ln -s /etc/systemd/system/site-new.service systemd/system/multi-user.target.wants/site-new.service
echo 'alice ALL=(root) NOPASSWD: /usr/bin/who' >sudoers.d/site
ln -sf /usr/share/zoneinfo/Etc/GMT+3 localtime
`;

const WITH_HOOK = 'init=/usr/lib/activate/init';
const WITHOUT_HOOK = 'init=/usr/lib/systemd/systemd';
const DESCRIBE = '/usr/lib/vm-test/describe "$RESULTS/state"';

/** What differs between the two, as programs see it: before a boot, what systemd was told by daemon-reload. */
const SEE = `
cat /etc/site.d/marker
cat /etc/site-kind 2>/dev/null || cat /etc/site-kind/inside
systemctl show --value --property=Description site.service
systemctl show --value --property=Nice redis-server.service
systemctl is-enabled site-new.service 2>/dev/null || echo no site-new
systemctl is-enabled site-old.service 2>/dev/null || echo no site-old
sudo -l -U alice 2>/dev/null | grep -o '/usr/bin/.*'
date +%Z
find -L /etc -type l
`;
const NEITHER = 'first\nfirst\nWhat this site runs\n3\nno site-new\nno site-old\n/usr/bin/id\nUTC\n';
const FIRST = 'first\nfirst\nWhat this site runs\n3\nno site-new\nenabled\n/usr/bin/id\nUTC\n';
const SECOND = 'second\nsecond\nsecond\n5\nenabled\nno site-old\n/usr/bin/who\n-03\n';
/** What only a boot changes, or who is asked to. */
const RUNS = 'sysctl -n vm.swappiness; systemctl is-active site-new.service site-old.service';
const FIRST_RUNS = '23\ninactive\nactive\n';
const SECOND_RUNS = '29\nactive\ninactive\n';
const NEITHER_RUNS = '23\ninactive\ninactive\n';

const note = (name: string): string =>
  `systemctl daemon-reload; { ${SEE.trim().replaceAll('\n', '\n ')}; } >"$RESULTS/${name}.sees" 2>&1; ${noteRoles(name)}`;

interface Step {
  readonly name: string;
  readonly append?: string;
  readonly run: string;
  readonly check: (booted: Booted) => void;
}

function sees(booted: Booted, name: string, what: string): void {
  expect(booted.results[`${name}.sees`]).toBe(what);
}

const steps: readonly Step[] = [
  {
    name: 'the first closure is shown by a switch on a machine that booted without',
    append: WITHOUT_HOOK,
    run: [
      MAKE_CLOSURES,
      DESCRIBE,
      'activate install --init-wrapper',
      'activate switch /var/closures/first',
      note('after'),
    ].join('\n'),
    check: (booted) => {
      expect(rolesIn(booted, 'after')).toEqual(roles(1, 1, null));
      sees(booted, 'after', FIRST);
    },
  },
  {
    name: 'switch shows the second at once and at the next boot, and daemon-reload sees its units',
    run: [
      note('before'),
      'activate switch /var/closures/second',
      note('after'),
      'systemctl start site-new.service',
    ].join('\n'),
    check: (booted) => {
      expect(bootRecordIn(booted)).toMatchObject({ hook: 'init', wanted: 1, chosen: 1, brought: false, passed: [] });
      expect(rolesIn(booted, 'before')).toEqual(roles(1, 1, 1));
      sees(booted, 'before', FIRST);
      expect(booted.results['runs']).toBe(FIRST_RUNS);
      expect(rolesIn(booted, 'after')).toEqual(roles(2, 2, 1));
      sees(booted, 'after', SECOND);
    },
  },
  {
    name: 'test shows the first at once, and not at the next boot',
    run: [note('before'), 'activate test 1', note('after')].join('\n'),
    check: (booted) => {
      expect(bootRecordIn(booted)).toMatchObject({ wanted: 2, chosen: 2, brought: false });
      expect(rolesIn(booted, 'before')).toEqual(roles(2, 2, 2));
      sees(booted, 'before', SECOND);
      expect(booted.results['runs']).toBe(SECOND_RUNS);
      expect(rolesIn(booted, 'after')).toEqual(roles(1, 2, 2));
      sees(booted, 'after', FIRST);
    },
  },
  {
    name: 'boot shows the first at the next boot, and not at once',
    run: [note('before'), 'activate boot 1', note('after')].join('\n'),
    check: (booted) => {
      // The boot brought the links from what was tested to the default, and what is live was settled.
      expect(bootRecordIn(booted)).toMatchObject({ wanted: 2, chosen: 2, brought: true });
      expect(rolesIn(booted, 'before')).toEqual(roles(2, 2, 2));
      sees(booted, 'before', SECOND);
      expect(booted.results['runs']).toBe(SECOND_RUNS);
      expect(rolesIn(booted, 'after')).toEqual(roles(2, 1, 2));
      sees(booted, 'after', SECOND);
    },
  },
  {
    name: 'rollback goes to the generation before, at once and at the next boot',
    run: [note('before'), 'activate switch 2', 'activate rollback', note('after')].join('\n'),
    check: (booted) => {
      expect(bootRecordIn(booted)).toMatchObject({ wanted: 1, chosen: 1, brought: true });
      expect(rolesIn(booted, 'before')).toEqual(roles(1, 1, 1));
      sees(booted, 'before', FIRST);
      expect(booted.results['runs']).toBe(FIRST_RUNS);
      expect(rolesIn(booted, 'after')).toEqual(roles(1, 1, 1));
      sees(booted, 'after', FIRST);
    },
  },
  {
    name: 'the kernel command line has one boot show another generation',
    append: 'activate.generation=2',
    run: note('before'),
    check: (booted) => {
      expect(bootRecordIn(booted)).toMatchObject({ wanted: 2, chosen: 2, brought: true });
      expect(rolesIn(booted, 'before')).toEqual(roles(2, 1, 2));
      sees(booted, 'before', SECOND);
      expect(booted.results['runs']).toBe(SECOND_RUNS);
    },
  },
  {
    name: 'rollback to 0 gives everything back, at once and at the next boot',
    run: [
      note('before'),
      'activate rollback 0',
      note('after'),
      'activate boot 1',
      // Whatever is started later pulls this in.
      'systemctl start sysinit.target',
      noteRoles('not shown'),
      'activate boot 0',
    ].join('\n'),
    check: (booted) => {
      expect(rolesIn(booted, 'before')).toEqual(roles(1, 1, 1));
      sees(booted, 'before', FIRST);
      expect(rolesIn(booted, 'after')).toMatchObject({ live: 0, default: 0, booted: 1 });
      sees(booted, 'after', NEITHER);
      expect(rolesIn(booted, 'not shown')).toMatchObject({ live: 0, default: 1, pointer: 'right' });
    },
  },
  {
    name: 'a machine on which nothing is managed any more boots as before',
    run: [DESCRIBE, noteRoles('before')].join('\n'),
    check: (booted) => {
      expect(rolesIn(booted, 'before')).toMatchObject({ live: 0, default: 0 });
      expect(booted.results['runs']).toBe(NEITHER_RUNS);
    },
  },
];

interface Story {
  readonly took: readonly Promise<Booted>[];
  /** The first boot and the last once more, from the disks as they are before and after all of them. */
  readonly again: () => Promise<[Booted, Booted]>;
}

let telling: Promise<Story> | undefined;
const story = async (): Promise<Story> => (telling ??= tell());

async function tell(): Promise<Story> {
  const machine = await machineFiles('bookworm');
  const pristine: Disk = { file: machine.disk, format: 'raw' };
  const disk = await forkDisk(pristine, scratch);
  let previous: Promise<unknown> = Promise.resolve();
  const took = steps.map(({ append = '', run }) => {
    const before = previous;
    const keep = `[ ! -e /run/activate/boot.json ] || ${KEEP_BOOT_RECORD}`;
    const all = `{ ${RUNS}; } >"$RESULTS/runs" 2>&1\n${keep}\n${run}`;
    const options = { writes: 'keep', append: `${WITH_HOOK} ${append}`, run: all } as const;
    const next = (async () => {
      await before;
      return boot(machine, disk, options);
    })();
    next.catch(() => undefined);
    previous = next;
    return next;
  });
  const again = async (): Promise<[Booted, Booted]> =>
    Promise.all([
      boot(machine, pristine, { append: WITHOUT_HOOK, run: [MAKE_CLOSURES, DESCRIBE].join('\n') }),
      boot(machine, disk, { append: WITH_HOOK, run: DESCRIBE }),
    ]);
  return { took, again };
}

function compare([was, is]: readonly (Booted | undefined)[]): string[] {
  if (was === undefined || is === undefined) throw new Error('it was not booted');
  return differencesOf(withoutOurs(describedBy(was)), withoutOurs(describedBy(is)));
}

describe('on a running machine', () => {
  test.each([...steps])(
    '$name',
    async ({ name, check }) => {
      const booted = await (await story()).took[steps.findIndex((step) => step.name === name)];
      if (booted === undefined) throw new Error('it was not booted');
      const { ended, status, results } = booted;
      expect({ ended, status, stderr: results['stderr'], console: ended === 'run' ? '' : booted.console }).toEqual({
        ended: 'run',
        status: 0,
        stderr: expect.any(String),
        console: '',
      });
      check(booted);
    },
    LIMIT_MS,
  );

  test(
    'there and back leaves the machine that was there',
    async () => {
      const { took, again } = await story();
      const differences = await lastingDifferences('there and back', [
        async () => compare(await Promise.all([took[0], took.at(-1)])),
        async () => compare(await again()),
      ]);
      expect(differences).toEqual([]);
    },
    LIMIT_MS,
  );
});
