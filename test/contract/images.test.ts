import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { IMAGE_MOUNT, mountUnit } from '../../src/core/mount-unit';
import { path } from '../support/entries';
import { writeContents } from '../support/closures';
import { openMachine, type TestMachine } from '../support/machine';
import { nameBytes, namesWithEachByte, trickyNames } from '../support/names';
import { buildNixClosure, etcClosureExpression } from '../support/nix';
import type { RunOptions } from '../support/namespace';
import { writePlacements } from '../support/placements';
import { withoutTime } from '../support/nixos-shape';
import type { Seen } from '../support/snapshot';

let machine: TestMachine;
beforeAll(async () => {
  machine = await openMachine();
  await machine.shell('mkdir -m 1777 /var/bundles; mkdir /var/seen');
});
afterEach(async () => void (await machine.shell('rm -rf /var/closures/* /var/bundles/*')));
afterAll(async () => machine.close());

const kinds = ['squashfs', 'erofs'] as const;
type Kind = (typeof kinds)[number];

/** The length of the longest name that is sure to work, in bytes. */
const longest = { squashfs: 255, erofs: 254 } as const;

/** Makes an image of a closure, and returns where it is mounted while `look` looks at it. */
async function withImage<Seen>(
  closure: string,
  kind: Kind,
  look: (mounted: string, bundle: string) => Seen | Promise<Seen>,
  flags: readonly string[] = [],
): Promise<Seen> {
  const bundle = '/var/bundles/one';
  await machine.activate('generate', closure, '--output', bundle, '--image', kind, ...flags);
  await machine.shell(`mount -o loop,ro ${bundle}/image.${kind} /var/seen`);
  try {
    return await look('/var/seen', bundle);
  } finally {
    await machine.shell(`umount /var/seen; rm -rf ${bundle}`);
  }
}

/** Everything that can be seen of a directory, but times and what only its top has. */
async function seenIn(directory: string): Promise<Seen[]> {
  const script = join(import.meta.dir, '../support/seen.ts');
  const seen = JSON.parse(await machine.shell(`${process.execPath} ${script} ${directory}`)) as Seen[];
  return seen.filter(({ path }) => path !== '/').map(withoutTime);
}

describe.each(kinds)('an image that is %s', (kind) => {
  test('shows a tree with every kind of placement, as its bundle says', async () => {
    writePlacements(machine.on('/var/closures/placed'));
    await withImage('/var/closures/placed', kind, async (mounted, bundle) => {
      expect(await machine.shell(`stat -c '%a %u:%g' ${mounted}; ls ${mounted}`)).toBe('755 0:0\netc\n');
      const seen = await seenIn(mounted);
      const entries = entriesOf(bundle);
      for (const entry of entries) {
        const there = seen.find(({ path }) => path === escaped(entry.path));
        if (entry.kind === 'symlink') expect(there).toMatchObject({ linkText: escaped(entry.linkText ?? '') });
        else if (entry.kind === 'whole-directory') expect(there).toMatchObject({ kind: 'directory' });
        else {
          const mode = Number(entry.mode).toString(8).padStart(4, '0');
          const { uid, gid } = entry;
          expect(there).toMatchObject({ kind: entry.kind, mode, uid, gid });
          if (there?.sha256 !== undefined && entry.digest !== '') expect(there.sha256).toBe(entry.digest ?? '');
        }
      }
      expect(entries.filter((entry) => entry.restyled === true)).toEqual([]);
    });
  });

  test('keeps setuid, capabilities and attributes', async () => {
    writeContents(machine.on('/var/closures/special'), {
      'etc/setuid': { file: 'x', mode: 0o4755, uid: 12, gid: 34 },
      'etc/capable': { file: 'y', mode: 0o755 },
      'etc/attributes': { file: 'z', uid: 4_000_000_000, gid: 3_000_000_000 },
      'etc/sticky': { directory: 0o1777 },
      'etc/attributes.d': { directory: 0o2750, uid: 7 },
      'etc/long-link': { link: 'x/'.repeat(1500) },
      'etc/large': { file: 'large\n'.repeat(400_000) },
      [`etc/${'n'.repeat(longest[kind])}/${'m'.repeat(longest[kind])}`]: 'long',
    });
    await machine.shell(`
      cd /var/closures/special/etc
      setcap cap_net_raw,cap_net_admin+ep capable
      setfattr -n user.empty attributes
      setfattr -n user.binary -v 0x000aff3d0a attributes
      setfattr -n user.on-a-directory -v yes attributes.d
    `);
    const wanted = await seenIn('/var/closures/special');
    expect(await withImage('/var/closures/special', kind, seenIn)).toEqual(wanted);
  });

  test('has every name that a closure can have', async () => {
    const contents = Object.fromEntries(names.map((name, index) => [`etc/${index}/${name}`, `${index}\n`]));
    writeContents(machine.on('/var/closures/names'), contents);
    const wanted = await seenIn('/var/closures/names');
    expect(await withImage('/var/closures/names', kind, seenIn)).toEqual(wanted);
  });

  test('is the same bytes in other surroundings', async () => {
    writePlacements(machine.on('/var/closures/same'));
    const usual = await digestOf('/var/closures/same', kind);
    for (const [wrapper, options] of surroundings)
      expect(await digestOf('/var/closures/same', kind, wrapper, options)).toBe(usual);
  });

  test('is the same bytes for another user, and from directories in another order', async () => {
    const contents = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`etc/${index % 20}/${(index * 7919) % 300}`, `${index}\n`]),
    );
    writeContents(machine.on('/var/closures/readable'), { ...contents, 'etc/setuid': { file: 's', mode: 0o4755 } });
    await machine.shell(
      'setfattr -n user.b -v 2 /var/closures/readable/etc/1/*; touch -d @5 /var/closures/readable/etc/2/*',
    );
    const usual = await digestOf('/var/closures/readable', kind);
    expect(await digestOf('/var/closures/readable', kind, [], { user: 'nobody' })).toBe(usual);
    await machine.shell(`
      mkdir /var/closures/shuffled-${kind} && cd /var/closures/readable
      find . ! -type d | sort -R >/run/shuffled
      find . -type d | sort -r >>/run/shuffled
      tar --create --xattrs --no-recursion --files-from=/run/shuffled |
        tar --extract --xattrs --same-permissions --directory=/var/closures/shuffled-${kind}
      chmod 0700 /var/closures/shuffled-${kind}
      ln /var/closures/shuffled-${kind}/etc/setuid /var/closures/another-name-${kind}
    `);
    expect(await digestOf(`/var/closures/shuffled-${kind}`, kind)).toBe(usual);
  });

  test('has what store links lead to, and needs no store', async () => {
    const closure = await buildNixClosure(machine, etcClosureExpression({ label: 'image', files }));
    await withImage(closure, kind, async (mounted, bundle) => {
      expect(await machine.shell(`cat ${mounted}/etc/motd`)).toBe('motd\n');
      expect(await machine.shell(`grep -rIl /nix/store ${mounted} || true; find ${mounted} -lname '/nix/*'`)).toBe('');
      expect(
        await machine.shell(`cd ${mounted}/etc; stat -c '%n %a %u:%g' secret units/a.service; readlink localtime`),
      ).toBe('secret 440 12:34\nunits/a.service 444 0:0\n/usr/share/zoneinfo/UTC\n');
      expect(await machine.shell(`cd ${mounted}/etc; find . -name '*.mode' -o -name '*.uid'`)).toBe('');
      expect(
        entriesOf(bundle)
          .filter(({ place }) => place !== 'directory')
          .map(shortly),
      ).toEqual([
        '/etc/localtime direct symlink',
        '/etc/motd link file',
        '/etc/secret copy file',
        '/etc/units link whole-directory',
      ]);
    });
  });

  test('keeps store links where it is to travel with its store', async () => {
    const closure = await buildNixClosure(machine, etcClosureExpression({ label: 'image', files }));
    const look = async (mounted: string, bundle: string): Promise<void> => {
      expect(await machine.shell(`readlink ${mounted}/etc/motd`)).toStartWith('/nix/store/');
      expect(
        entriesOf(bundle)
          .filter(({ place }) => place !== 'directory')
          .map(shortly),
      ).toEqual([
        '/etc/localtime direct symlink',
        '/etc/motd link symlink',
        '/etc/secret copy file',
        '/etc/units link symlink',
      ]);
    };
    await withImage(closure, kind, look, ['--keep-links']);
  });

  test('comes with a unit and a snippet that show it without activate', async () => {
    writeContents(machine.on('/var/closures/shown'), { 'etc/shown': 'shown\n' });
    const look = async (_: string, bundle: string): Promise<void> => {
      const unit = `${bundle}/systemd/run-activate-image.mount`;
      expect(await machine.shell(`systemd-analyze verify ${unit} 2>&1`)).toBe('');
      const value = (name: string): Promise<string> => machine.shell(`sed -n 's/^${name}=//p' ${unit} | tr -d '\\n'`);
      const [what, where, options] = [await value('What'), await value('Where'), await value('Options')];
      await machine.shell(`
        mkdir -p ${where}
        mount -t ${kind} -o ${options} '${what}' ${where}
        systemd-tmpfiles --create ${bundle}/tmpfiles.d/activate.conf
      `);
      expect(await machine.shell('cat /etc/shown; findmnt -no OPTIONS /run/activate/image')).toMatch(
        /^shown\nro,nosuid,nodev/u,
      );
      await machine.shell(`umount ${where}; rm /etc/shown /run/filesystem-overlay`);
    };
    await withImage('/var/closures/shown', kind, look);
  });
});

const names = [...namesWithEachByte(nameBytes), ...trickyNames];

const files = {
  motd: { text: 'motd\n' },
  secret: { text: 'secret\n', mode: '0440', uid: '+12', gid: '+34' },
  localtime: { link: '/usr/share/zoneinfo/UTC' },
  units: { storeDirectory: { 'a.service': 'a\n', 'B.service': 'b\n' } },
};

const surroundings: readonly (readonly [readonly string[], RunOptions])[] = [
  [[], { environment: { LC_ALL: 'tr_TR.UTF-8', LANG: 'C' } }],
  [[], { environment: { TZ: 'Pacific/Chatham', SOURCE_DATE_EPOCH: '1', TAR_OPTIONS: '--mode=0777' } }],
  [['sh', '-c', 'umask 077; exec "$@"', 'sh'], {}],
  [['sh', '-c', 'umask 000; exec "$@"', 'sh'], {}],
  [['unshare', '--uts', 'sh', '-c', 'hostname elsewhere; exec "$@"', 'sh'], {}],
];

/** The SHA-256 of an image, and of all that its bundle says of the closure. */
async function digestOf(
  closure: string,
  kind: Kind,
  wrapper: readonly string[] = [],
  options: RunOptions = {},
): Promise<string> {
  const command = [...wrapper, 'activate', 'generate', closure, '--output', '/var/bundles/two', '--image', kind];
  const { status, stderr } = await machine.run(command, options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const digest = await machine.shell(`cd /var/bundles/two; find . -type f ! -name '*.mount' | sort | xargs sha256sum`);
  await machine.shell('rm -rf /var/bundles/two');
  return digest;
}

interface Entry {
  readonly path: string;
  readonly place: string;
  readonly kind: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly linkText?: string;
  readonly digest?: string;
  readonly restyled?: boolean;
}

function entriesOf(bundle: string): Entry[] {
  return (JSON.parse(readFileSync(machine.on(`${bundle}/manifest.json`), 'utf8')) as { entries: Entry[] }).entries;
}

/** As {@link Seen} writes it. */
function escaped(text: string): string {
  return text.replaceAll('\\', String.raw`\x5c`);
}

function shortly({ path, place, kind }: Entry): string {
  return `${path} ${place} ${kind}`;
}

test.each([IMAGE_MOUNT, path('/run/activate/gen/7')])(
  'the unit that mounts an image at %s has the name that systemd insists on',
  async (at) => {
    const { name } = mountUnit({ image: '/image', kind: 'erofs', at });
    expect(await machine.shell(`systemd-escape --path --suffix=mount ${at}`)).toBe(`${name}\n`);
  },
);

test('ACLs are kept by erofs, and squashfs lets nobody do more without them', async () => {
  writeContents(machine.on('/var/closures/acl'), {
    'etc/acl': { file: 'a', mode: 0o640 },
    'etc/acl.d': { directory: 0o750 },
  });
  await machine.shell('cd /var/closures/acl/etc; setfacl -m u:12:rw,g::- acl; setfacl -d -m u:12:rwx acl.d');
  const acls = (directory: string): Promise<string> => machine.shell(`cd ${directory}; getfacl -n etc/acl etc/acl.d`);
  expect(await withImage('/var/closures/acl', 'erofs', acls)).toBe(await acls('/var/closures/acl'));
  const { stderr } = await machine.attempt(
    'generate /var/closures/acl --output /var/bundles/acl --image squashfs'.split(' '),
  );
  expect(stderr).toContain('/etc/acl has an ACL, which squashfs cannot hold');
  const modes = (directory: string): Promise<string> => machine.shell(`stat -c %a ${directory}/etc/acl`);
  expect(await modes('/var/closures/acl')).toBe('660\n');
  expect(await withImage('/var/closures/acl', 'squashfs', modes)).toBe('600\n');
});

test('a user gives files of an erofs to others through a user namespace, or is told what to do', async () => {
  writeContents(machine.on('/var/closures/others'), { 'etc/a': { file: 'a', mode: 0o4755, uid: 12, gid: 34 } });
  await machine.shell('chmod 0705 /var/closures/others; mkdir /var/bundles/others; chown 65534 /var/bundles/others');
  const args = 'generate /var/closures/others --output /var/bundles/others --image erofs'.split(' ');
  const refused = await machine.attempt(args, { user: 'nobody' });
  expect(refused.status).toBe(3);
  expect(refused.stderr).toContain('Use --image squashfs');
  expect(await machine.shell('ls -A /var/bundles/others')).toBe('');
  await machine.shell('chown 0:0 /var/closures/others/etc/a; setcap cap_net_raw+ep /var/closures/others/etc/a');
  expect((await machine.attempt(args, { user: 'nobody' })).status).toBe(3);
  for (const file of ['subuid', 'subgid']) writeFileSync(machine.on(`/etc/${file}`), 'nobody:100000:65536\n');
  const made = async (): Promise<string> => {
    expect(await machine.attempt(args, { user: 'nobody' })).toMatchObject({ status: 0, stderr: '' });
    return machine.shell('sha256sum </var/bundles/others/image.erofs; rm -r /var/bundles/others/*');
  };
  expect(await digestOf('/var/closures/others', 'erofs')).toContain((await made()).slice(0, 64));
  await machine.shell('chown 12:34 /var/closures/others/etc/a; chmod 4755 /var/closures/others/etc/a');
  expect(await digestOf('/var/closures/others', 'erofs')).toContain((await made()).slice(0, 64));
});

test('a name that is too long for mkfs.erofs is named', async () => {
  writeContents(machine.on('/var/closures/long'), { [`etc/${'n'.repeat(255)}/a`]: 'a' });
  const args = 'generate /var/closures/long --output /var/bundles/long --image erofs'.split(' ');
  const { status, stderr } = await machine.attempt(args);
  // Newer versions can.
  if (status === 0) return;
  expect(status).toBe(3);
  expect(stderr).toContain('cannot take a name of 255 bytes here');
  expect(await machine.shell('ls /var/bundles')).toBe('');
});
