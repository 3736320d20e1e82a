import { join } from 'node:path';
import { readFileSync, readlinkSync } from 'node:fs';
import { writeContents } from './closures';
import { openMachine, type TestMachine } from './machine';
import { takeSnapshot } from './snapshot';

/** What people use to change a file: a shell script for each, in which `$f` is the path and `$n` a file with new content. */
export const programs: Readonly<Record<string, string>> = {
  'echo >>': 'echo edited >> "$f"',
  'echo >': 'echo edited > "$f"',
  'tee -a': 'echo edited | tee -a "$f" >/dev/null',
  'truncate': 'truncate --size=0 "$f"',
  'sed -i': 'sed -i s/one/edited/ "$f"',
  'sed -i --follow-symlinks': 'sed -i --follow-symlinks s/one/edited/ "$f"',
  'perl -i': 'perl -i -pe s/one/edited/ "$f"',
  // By its own name: what `vim` is, a link in /etc says.
  'vim': 'timeout 20 vim.basic -Es -u NONE -i NONE -c %s/one/edited/ -c wq -c cquit "$f" </dev/null',
  'cp': 'cp "$n" "$f"',
  'cp --remove-destination': 'cp --remove-destination "$n" "$f"',
  'mv': 'cp "$n" "$f.tmp"; mv "$f.tmp" "$f"',
  'install': 'install -m 600 "$n" "$f"',
  'ln -sf': 'ln -sf "$n" "$f"',
  'rm': 'rm "$f"',
  'chmod': 'chmod 0600 "$f"',
  'chown': 'chown 12 "$f"',
  'chown -h': 'chown -h 12 "$f"',
  'touch': 'touch -d 2001-02-03 "$f"',
  'setfattr': 'setfattr -n user.colour -v red "$f"',
  'setfacl': 'setfacl -m u:12:r "$f"',
  'dpkg upgrade': 'dpkg -i "/var/packages/$(basename "$f")-2.deb"',
  'dpkg upgrade --force-confnew': 'dpkg --force-confnew -i "/var/packages/$(basename "$f")-2.deb"',
  'dpkg purge': 'dpkg -P "$(basename "$f")"',
};

export type Way = 'link' | 'direct' | 'copy';

/** What came of it, in words. */
export interface Outcome {
  readonly program: 'succeeds' | 'fails';
  /** What is at the path afterwards, next to how it was. */
  readonly leaves: string;
  readonly record: 'untouched' | 'changed';
  readonly status: 'drift' | 'no drift';
  /** What the next switch leaves of the change; the path shows the new closure then, or this says what else. */
  readonly switch: string;
}

/** Lets each program change a managed file of its own, on a machine where the files are placed in one way. */
export async function editEach(way: Way): Promise<Record<string, Outcome>> {
  const machine = await openMachine();
  try {
    await prepare(machine, way);
    const seen: Record<string, Omit<Outcome, 'switch'>> = {};
    for (const [program, script] of Object.entries(programs)) seen[program] = await edit(machine, program, script);
    const edits = new Map(Object.keys(programs).map((program) => [program, read(machine, pathOf(program))]));
    await machine.activate('switch', '/var/closures/two');
    const backups = backupsOf(machine);
    return Object.fromEntries(
      Object.entries(seen).map(([program, outcome]) => {
        const path = pathOf(program);
        const is = visible(machine, way, path) === 'two\n' ? '' : `, and ${read(machine, path)} is there`;
        const kept = backups.get(path);
        const edited = edits.get(program);
        const said = kept === undefined ? 'no backup' : kept === edited ? 'backup of it' : `backup of ${kept}, not of ${edited}`;
        return [program, { ...outcome, switch: said + is }];
      }),
    );
  } finally {
    await machine.close();
  }
}

export function pathOf(program: string): string {
  return `/etc/edited/${program.replaceAll(/[^a-z]+/gu, '-')}`;
}

async function prepare(machine: TestMachine, way: Way): Promise<void> {
  for (const name of ['one', 'two']) {
    const files = Object.keys(programs).map((program) => {
      const path = pathOf(program).slice(1);
      return [path, way === 'direct' ? { link: `/var/targets/${name}${path.slice(3)}` } : `${name}\n`] as const;
    });
    const policy = way === 'copy' ? 'schema = 1\n[[path]]\nmatch = "/etc/edited/*"\nplace = "copy"\n' : 'schema = 1\n';
    writeContents(machine.on(`/var/closures/${name}`), { ...Object.fromEntries(files), 'activation.toml': policy });
    const targets = files.map(([path]) => [path.slice('etc/'.length), `${name}\n`] as const);
    writeContents(machine.on(`/var/targets/${name}`), Object.fromEntries(targets));
  }
  await machine.shell('mkdir -p /var/new /var/packages /var/lib/dpkg/{info,updates,triggers}; touch /var/lib/dpkg/status');
  for (const program of Object.keys(programs).filter((each) => each.startsWith('dpkg'))) await packages(machine, program);
  await machine.activate('switch', '/var/closures/one', '--on-conflict', 'backup');
  if (process.env['IMM']) await machine.shell('chattr -f -R +i /var/lib/activate/generations/1/tree || :');
}

/** A package whose configuration file is the managed path: the first version is installed, the second waits. */
async function packages(machine: TestMachine, program: string): Promise<void> {
  const path = pathOf(program);
  const name = path.slice('/etc/edited/'.length);
  for (const [version, text] of [
    [1, 'one\n'],
    [2, 'edited\n'],
  ] as const) {
    writeContents(machine.on(`/var/packages/${name}-${version}`), {
      [path.slice(1)]: text,
      'DEBIAN/control': `Package: ${name}\nVersion: ${version}\nArchitecture: all\nMaintainer: a <a@b>\nDescription: a\n`,
      'DEBIAN/conffiles': `${path}\n`,
    });
    await machine.shell(`cd /var/packages && dpkg-deb --root-owner-group --build ${name}-${version} >/dev/null`);
  }
  await machine.shell(`dpkg -i /var/packages/${name}-1.deb >/dev/null`);
}

async function edit(machine: TestMachine, program: string, script: string): Promise<Omit<Outcome, 'switch'>> {
  const path = pathOf(program);
  const [before, record] = [read(machine, path), recordOf(machine)];
  await machine.shell('echo edited > /var/new/content');
  const { status } = await machine.run(['bash', '-euc', `f=${path} n=/var/new/content; ${script}`], {
    environment: { DEBIAN_FRONTEND: 'noninteractive' },
  });
  const after = read(machine, path);
  const { drifted } = JSON.parse(await machine.activate('status', '--json')) as { drifted: string[] };
  return {
    program: status === 0 ? 'succeeds' : 'fails',
    leaves: after === before ? 'as it was' : after,
    record: Bun.deepEquals(record, recordOf(machine)) ? 'untouched' : 'changed',
    status: drifted.includes(path) ? 'drift' : 'no drift',
  };
}

function recordOf(machine: TestMachine): unknown {
  return takeSnapshot(machine.on('/var/lib/activate/generations/1/tree'));
}

/** What is at a path of the machine, and through our own link the content that it shows. */
function read(machine: TestMachine, path: string): string {
  return describe(machine.on(path));
}

function describe(host: string): string {
  const seen = takeSnapshot(join(host, '..')).find(({ path }) => path === `/${host.split('/').at(-1)}`);
  if (seen === undefined) return 'nothing';
  if (seen.kind === 'symlink') return `a link to ${readlinkSync(host)}${seen.uid === 0 ? '' : ` of ${seen.uid}`}`;
  if (seen.kind !== 'file') return seen.kind;
  const odd = [seen.mode === '0644' ? '' : ` ${seen.mode}`, seen.uid === 0 ? '' : ` of ${seen.uid}`];
  const extra = seen.xattrs === undefined ? '' : ` with ${Object.keys(seen.xattrs).join(' ')}`;
  const text = JSON.stringify(readFileSync(host, 'utf8'));
  return `a file${odd.join('')}${extra} ${text}`;
}

function visible(machine: TestMachine, way: Way, path: string): string {
  if (way === 'copy') return readFileSync(machine.on(path), 'utf8');
  const text = readlinkSync(machine.on(path));
  if (way === 'link') return text === `/run/filesystem-overlay${path}` ? 'two\n' : text;
  return text === `/var/targets/two${path.slice('/etc'.length)}` ? 'two\n' : text;
}

/** The kept edits by the path that they were at. */
function backupsOf(machine: TestMachine): Map<string, string> {
  const top = machine.on('/var/lib/activate/backups');
  const files = takeSnapshot(top).filter(({ path }) => path.endsWith('/backup.json'));
  return new Map(
    files.flatMap(({ path }) => {
      const { path: of, reason } = JSON.parse(readFileSync(join(top, path), 'utf8')) as { path: string; reason: string };
      return reason === 'drifted' ? [[of, describe(join(top, path, '../content'))] as const] : [];
    }),
  );
}
