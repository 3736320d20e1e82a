import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Contents, writeClosure } from '../support/closures';
import { openMachine, type TestMachine } from '../support/machine';

const SWITCHES = Number(process.env['RUNS'] ?? 500);

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  // What is outside of /etc, and what the attacker's links lead to.
  await machine.shell(
    `mount -t tmpfs -o mode=0755 tmpfs /root
    mkdir -p /var/victim/deep /root/deep /var/edits /var/scripts
    for top in /var/victim /root; do
      for name in same old0 old1 old2 new0 new1 new2 conf deep/x; do echo "precious $name" >$top/$name; done
    done
    echo 'root:*:1:0:99999:7:::' >/etc/shadow; chmod 0640 /etc/shadow; chown 0:42 /etc/shadow`,
  );
  for (const name of ['swapping.pl', 'replacing.pl'])
    writeFileSync(
      machine.on(`/var/scripts/${name}`),
      readFileSync(join(import.meta.dir, '../support/attackers', name)),
    );
});
afterEach(async () => machine.close());

const shared = ['shared', 'open', 'team'];
const policy = 'schema = 1\n[[path]]\nmatch = "secret"\nplace = "copy"\nmode = "0600"\n';

/** Three directories that another user may write: his own, everybody's, and his group's. */
function writeShared(name: 'old' | 'new', mode: number): string {
  const contents: Record<string, Contents[string]> = {};
  for (const directory of shared) {
    const top = `etc/${directory}`;
    const uid = directory === 'shared' ? 1000 : 0;
    contents[top] = { directory: { shared: 0o755, open: 0o777, team: 0o775 }[directory] ?? 0, uid };
    contents[`${top}/sub`] = { directory: mode, uid };
    for (const file of ['same', 'a0', 'a1', 'a2'].map((each) => each.replace(/^a/u, name)))
      contents[`${top}/sub/${file}`] = `${name}\n`;
    contents[`${top}/conf`] = `${name}\n`;
    contents[`${top}/link`] = { link: '/var/victim' };
    // Below another user's directory no rule may change anything.
    contents[`${top}/secret`] = { file: `SECRET ${name}\n`, mode: 0o600 };
  }
  const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
  const closure = writeClosure(sandbox, name, {
    ...contents,
    'activation.toml': policy.replace('mode = "0600"\n', ''),
  });
  chownSync(join(closure, 'etc/team'), 0, 1000);
  return `/closures/${name}`;
}

/** Everything outside of /etc that could be harmed, and the files in /etc that nobody names. */
async function outside(): Promise<string> {
  return machine.shell(
    `find /root /var/victim /var/scripts /etc/shadow /etc/passwd -printf '%p %y %m %U %G %s %T@ %l\\n' | sort
    find /root /var/victim /etc/shadow /etc/passwd -type f -print0 | sort -z | xargs -0 sha256sum`,
  );
}

/** Switches between closures many times, and counts how that ended. */
async function switchToAndFro(
  closures: readonly string[],
  flags: (round: number) => readonly string[],
): Promise<Record<string, number>> {
  const ends: Record<string, number> = {};
  for (let round = 0; round < SWITCHES; round += 1) {
    const closure = closures[round % closures.length] ?? '';
    const { status, stderr } = await machine.attempt(['switch', closure, ...flags(round)]);
    ends[status] = (ends[status] ?? 0) + 1;
    if (![0, 3, 4, 5, 74].includes(status)) throw new Error(`status ${status}: ${stderr}`);
    if (status === 5 || stderr.includes('activate resume')) {
      const resumed = await machine.attempt(['resume', '--wait', '60']);
      ends[`resume ${resumed.status}`] = (ends[`resume ${resumed.status}`] ?? 0) + 1;
    }
  }
  return ends;
}

const backup = ['--on-conflict=backup', '--on-drift=backup'];

describe('a user who swaps directories for links while root switches', () => {
  test("neither leads root out of /etc nor gets what is root's, and the machine is consistent afterwards", async () => {
    const closures = [writeShared('old', 0o755), writeShared('new', 0o750)];
    await machine.activate('switch', closures[0] ?? '', ...backup);
    await machine.shell(
      `for top in shared open team; do
          ln -s /root /etc/$top/jail; ln -s /etc/shadow /etc/$top/bait; chown -h 1000 /etc/$top/jail /etc/$top/bait
        done`,
    );
    const before = await outside();
    const attacker = machine.start([
      'setpriv',
      '--reuid=1000',
      '--regid=1000',
      '--clear-groups',
      '--',
      'perl',
      '/var/scripts/swapping.pl',
      '/run/enough',
      ...shared.map((name) => `/etc/${name}`),
    ]);
    const ends = await switchToAndFro(closures, () => backup);
    await machine.shell('touch /run/enough');
    const { stdout, stderr } = await attacker.finished;
    const [swaps, gains] = stdout.split(' ').map(Number);
    console.log(
      `${SWITCHES} switches, ${swaps} swaps, root's files gained ${gains} times; ends: ${JSON.stringify(ends)}`,
    );
    expect(await outside()).toBe(before);
    expect({ gains, stderr }).toEqual({ gains: 0, stderr: '' });
    await settle(closures);
  }, 1_800_000);
});

/** With nobody disturbing it the machine comes to rest, and stays there. */
async function settle(closures: readonly string[]): Promise<void> {
  await machine.shell('for top in shared open team; do rm -rf /etc/$top/jail /etc/$top/bait; done');
  await machine.activate('resume', '--wait', '60');
  for (const closure of [...closures, ...closures]) await machine.activate('switch', closure, ...backup);
  await machine.activate('diff', '--exit-code');
  // What he moved out of the way while it was being undone lies in his directories, where nobody can find it again.
  const litter = await machine.shell(
    "find /etc /var/lib/activate /run -path '/etc/shared/*' -o -path '/etc/open/*' -o -path '/etc/team/*' -o -path '*/backups/*/content/*' -o '(' -name '*.activate.*' -o -name transition.json ')' -print",
  );
  expect(litter).toBe('');
}

describe('an administrator who edits at the wrong moment', () => {
  test('loses no edit: each is in its place, was replaced by his next, or is a backup', async () => {
    const paths = ['linked', 'copied', 'sometimes', 'dir/inside', 'dir/copied', 'kind'];
    const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
    const toml = 'schema = 1\n[[path]]\nmatch = "copied"\nplace = "copy"\n';
    const both = { 'activation.toml': toml, 'etc/linked': 'one\n', 'etc/copied': 'one\n' };
    writeClosure(sandbox, 'one', {
      ...both,
      'etc/sometimes': 'one\n',
      'etc/dir/inside': 'one\n',
      'etc/dir/copied': 'one\n',
      'etc/kind': 'one\n',
    });
    writeClosure(sandbox, 'two', {
      ...both,
      'etc/linked': 'two\n',
      'etc/copied': 'two\n',
      'etc/dir': 'two\n',
      'etc/kind/in': 'two\n',
    });
    await machine.activate('switch', '/closures/one');
    const editor = machine.start([
      'perl',
      '/var/scripts/replacing.pl',
      '/run/enough',
      '/var/edits',
      ...paths.map((path) => `/etc/${path}`),
    ]);
    const attitudes = ['backup', 'backup', 'backup', 'keep', 'refuse'];
    const flags = (round: number): string[] => {
      const attitude = attitudes[Math.floor(round / 2) % attitudes.length] ?? '';
      return [`--on-conflict=${attitude}`, `--on-drift=${attitude}`];
    };
    const ends = await switchToAndFro(['/closures/two', '/closures/one'], flags);
    await machine.shell('touch /run/enough');
    const { stdout, stderr } = await editor.finished;
    expect(stderr).toBe('');
    const [placed = [], replaced = []] = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    await machine.activate('resume', '--wait', '60');
    const there = editsIn(machine.on('/etc'));
    const kept = editsIn(machine.on('/var/lib/activate/backups'));
    const accounted = new Set([...replaced, ...there, ...kept]);
    console.log(
      `${SWITCHES} switches, ${placed.length} edits: ${replaced.length} replaced by the next, ${kept.length} in backups, ${there.length} in place; ends: ${JSON.stringify(ends)}`,
    );
    expect(placed.filter((number) => !accounted.has(number))).toEqual([]);
  }, 1_800_000);
});

/** The numbers of the edits that are anywhere below a directory. */
function editsIn(directory: string): number[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => /^edit (\d+)$/mu.exec(readFileSync(join(entry.parentPath, entry.name), 'utf8'))?.[1])
    .filter((number) => number !== undefined)
    .map(Number);
}
