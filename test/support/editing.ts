import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { writeContents } from './closures';
import { openMachine, type TestMachine } from './machine';
import { takeSnapshot } from './snapshot';

/** What people use to change a file: a shell script for each, in which `$f` is the path and `$n` a file with new content. */
export const programs: Readonly<Record<string, string>> = {
  'echo >>': 'echo edited >> "$f"',
  'echo >': 'echo edited > "$f"',
  'tee -a': 'echo edited | tee -a "$f" >/dev/null',
  truncate: 'truncate --size=0 "$f"',
  'sed -i': 'sed -i s/one/edited/ "$f"',
  'sed -i --follow-symlinks': 'sed -i --follow-symlinks s/one/edited/ "$f"',
  'perl -i': 'perl -i -pe s/one/edited/ "$f"',
  // By its own name: what `vim` is, a link in /etc says.
  vim: 'timeout 20 vim.basic -Es -u NONE -i NONE -c %s/one/edited/ -c wq -c cquit "$f" </dev/null',
  cp: 'cp "$n" "$f"',
  'cp --remove-destination': 'cp --remove-destination "$n" "$f"',
  mv: 'cp "$n" "$f.tmp"; mv "$f.tmp" "$f"',
  install: 'install -m 600 "$n" "$f"',
  'ln -sf': 'ln -sf "$n" "$f"',
  rm: 'rm "$f"',
  chmod: 'chmod 0600 "$f"',
  chown: 'chown 12 "$f"',
  'chown -h': 'chown -h 12 "$f"',
  touch: 'touch -d 2001-02-03 "$f"',
  setfattr: 'setfattr -n user.colour -v red "$f"',
  setfacl: 'setfacl -m u:12:r "$f"',
  'dpkg upgrade': 'dpkg -i "/var/packages/$(basename "$f")-2.deb"',
  'dpkg upgrade --force-confnew': 'dpkg --force-confnew -i "/var/packages/$(basename "$f")-2.deb"',
  'dpkg purge': 'dpkg -P "$(basename "$f")"',
};

export type Way = 'link' | 'direct' | 'copy';

/** What came of it: whether the program succeeds, what is at the path then, and what `activate` makes of that. */
interface Seen {
  readonly program: 'succeeds' | 'fails';
  readonly leaves: string;
  readonly record: '' | '; THE RECORD IS CHANGED';
  readonly status: 'drift' | 'no drift';
}

/**
 * Lets each program change a managed file of its own, on a machine where the files are placed in one way, and then
 * switches to a closure that has other content for all of them.
 *
 * @returns a line for each program; all paths show the new closure in the end, or the line says what else is there
 */
export async function editEach(way: Way): Promise<Record<string, string>> {
  const machine = await openMachine();
  try {
    await prepare(machine, way);
    const seen: Record<string, Seen> = {};
    for (const [program, script] of Object.entries(programs)) seen[program] = await edit(machine, program, script);
    const edits = new Map(Object.keys(programs).map((program) => [program, describe(machine.on(pathOf(program)))]));
    await machine.activate('switch', '/var/closures/two');
    const backups = backupsOf(machine);
    return Object.fromEntries(
      Object.entries(seen).map(([program, { leaves, record, status, ...outcome }]) => {
        const path = pathOf(program);
        const [kept, edited] = [backups.get(path), edits.get(program)];
        const backup = kept === undefined ? 'no backup' : kept === edited ? 'backup' : `backup of ${kept}`;
        const odd = isNew(machine, way, path) ? '' : `; THEN ${describe(machine.on(path))}`;
        return [program, `${outcome.program}; ${leaves}; ${status}, ${backup}${record}${odd}`];
      }),
    );
  } finally {
    await machine.close();
  }
}

function pathOf(program: string): string {
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
  await machine.shell(
    'mkdir -p /var/new /var/packages /var/lib/dpkg/{info,updates,triggers}; touch /var/lib/dpkg/status',
  );
  for (const program of Object.keys(programs).filter((each) => each.startsWith('dpkg')))
    await packages(machine, program);
  await machine.activate('switch', '/var/closures/one', '--on-conflict', 'backup');
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

async function edit(machine: TestMachine, program: string, script: string): Promise<Seen> {
  const path = pathOf(program);
  const host = machine.on(path);
  const [before, record] = [describe(host), recordOf(machine)];
  await machine.shell('echo edited > /var/new/content');
  const { status } = await machine.run(['bash', '-euc', `f=${path} n=/var/new/content; ${script}`], {
    environment: { DEBIAN_FRONTEND: 'noninteractive' },
  });
  const after = describe(host);
  const beside = namesBeside(host).map((name) => `, and a ${name}`);
  const { drifted } = JSON.parse(await machine.activate('status', '--json')) as { drifted: string[] };
  return {
    program: status === 0 ? 'succeeds' : 'fails',
    leaves: [after === before ? 'as it was' : after, ...beside].join(''),
    record: Bun.deepEquals(record, recordOf(machine)) ? '' : '; THE RECORD IS CHANGED',
    status: drifted.includes(path) ? 'drift' : 'no drift',
  };
}

function recordOf(machine: TestMachine): unknown {
  return takeSnapshot(machine.on('/var/lib/activate/generations/1/tree'));
}

/** What a program left beside the file, by the end of its name. */
function namesBeside(host: string): string[] {
  const name = basename(host);
  return readdirSync(dirname(host))
    .filter((each) => each.startsWith(`${name}.`) || each.startsWith(`${name}~`) || each.startsWith(`.${name}.`))
    .map((each) => each.replace(name, ''));
}

function describe(host: string): string {
  const seen = takeSnapshot(dirname(host)).find(({ path }) => path === `/${basename(host)}`);
  if (seen === undefined) return 'nothing';
  if (seen.kind === 'symlink') return `link to ${readlinkSync(host)}${seen.uid === 0 ? '' : ` of ${seen.uid}`}`;
  if (seen.kind !== 'file') return seen.kind;
  const mode = seen.mode === '0644' ? '' : ` ${seen.mode}`;
  const owner = seen.uid === 0 ? '' : ` of ${seen.uid}`;
  const attributes = seen.xattrs === undefined ? '' : ` with ${Object.keys(seen.xattrs).join(' ')}`;
  const lines = readFileSync(host, 'utf8').trimEnd().replaceAll('\n', ' ');
  return `file${mode}${owner}${attributes} '${lines}'`;
}

/** Whether a path shows what the second closure has for it. */
function isNew(machine: TestMachine, way: Way, path: string): boolean {
  const host = machine.on(path);
  if (way === 'copy') return readFileSync(host, 'utf8') === 'two\n';
  const target = way === 'link' ? `/run/filesystem-overlay${path}` : `/var/targets/two${path.slice('/etc'.length)}`;
  return readlinkSync(host) === target;
}

/** The kept edits by the path that they were at. */
function backupsOf(machine: TestMachine): Map<string, string> {
  const top = machine.on('/var/lib/activate/backups');
  const files = takeSnapshot(top).filter(({ path }) => path.endsWith('/backup.json'));
  return new Map(
    files.flatMap(({ path }) => {
      const { path: of, reason } = JSON.parse(readFileSync(join(top, path), 'utf8')) as {
        path: string;
        reason: string;
      };
      return reason === 'drifted' ? [[of, describe(join(top, path, '../content'))] as const] : [];
    }),
  );
}
