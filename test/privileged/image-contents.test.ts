import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdirSync } from 'node:fs';
import { bundleOn, imageOn, kinds } from '../support/images';
import { openMachine, type TestMachine } from '../support/machine';
import { type Seen } from '../support/snapshot';

const CLOSURE = '/var/images/closure';

const POLICY = `schema = 1

[[path]]
match = "/etc/copied.d/*"
place = "copy"
`;

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  mkdirSync(machine.on('/var/images'));
});
afterEach(async () => machine.close());

/** A closure with files of which each has something that many ways to copy lose, once to be shown and once to be copied. */
async function writeAttributes(): Promise<void> {
  await machine.shell(`
    mkdir -p ${CLOSURE}/etc/shown.d ${CLOSURE}/etc/directory.d
    cat >${CLOSURE}/activation.toml <<'END'
${POLICY}
END
    cd ${CLOSURE}/etc/shown.d
    for name in setuid setgid capable acl coloured owned large; do echo $name >$name; done
    chown 12:34 owned setgid
    chmod 4755 setuid
    chmod 2711 setgid
    chmod 0640 owned
    chmod 0755 capable
    setcap cap_net_raw+ep capable
    setfacl -m u:1000:rw acl
    setfattr -n user.colour -v red coloured
    chmod 0751 ../directory.d
    chown 12:34 ../directory.d
    touch ../directory.d/file
    cp -a . ../copied.d
  `);
}

/** What a file is, in words: mode, owner, capabilities, access list, attributes of users, content. */
async function describeFile(path: string): Promise<string> {
  return machine.shell(`
    file=$(readlink -f ${path})
    cd "$(dirname "$file")"
    name=$(basename "$file")
    stat -c '%a %u %g %s' "$name"
    getcap "$name"
    getfacl --absolute-names --numeric "$name" | grep -v '^#'
    getfattr --dump "$name" | grep -v '^#' || true
    cat "$name"
  `);
}

/** Squashfs has no place for access lists. */
const names = {
  squashfs: ['setuid', 'setgid', 'capable', 'coloured', 'owned'],
  erofs: ['setuid', 'setgid', 'capable', 'coloured', 'owned', 'acl'],
};

describe.each([...kinds])('owners, modes and attributes come through %s', (kind) => {
  test.each([
    ['an image', (): Promise<string> => Promise.resolve(imageOn(machine, kind, CLOSURE))],
    ['a bundle', (): Promise<string> => bundleOn(machine, kind, CLOSURE)],
  ])('in %s, for links and for copies', async (_what, make) => {
    await writeAttributes();
    const wanted = await Promise.all(names[kind].map((name) => describeFile(`${CLOSURE}/etc/shown.d/${name}`)));
    const closure = await make();
    for (const flags of [[], ['--in-place'], ['--resident']]) {
      if (closure.endsWith('bundle') && flags.length > 0) continue;
      await machine.activate('switch', closure, ...flags);
      for (const directory of ['shown.d', 'copied.d']) {
        const found = await Promise.all(names[kind].map((name) => describeFile(`/etc/${directory}/${name}`)));
        expect({ flags, directory, found }).toEqual({ flags, directory, found: wanted });
      }
      expect(await machine.shell('stat -c "%a %u %g" /etc/directory.d')).toBe('751 12 34\n');
      expect(await machine.shell('readlink /etc/shown.d/setuid')).toBe('/run/filesystem-overlay/etc/shown.d/setuid\n');
      expect(await machine.shell('test ! -L /etc/copied.d/setuid && echo copied')).toBe('copied\n');
    }
  });

  test('and a setuid program or capability shown through a mount gives nobody anything', async () => {
    await machine.shell(`mkdir -p ${CLOSURE}/etc; cp /usr/bin/id ${CLOSURE}/etc/id; chmod 4755 ${CLOSURE}/etc/id`);
    await machine.activate('switch', imageOn(machine, kind, CLOSURE));
    const { stdout } = await machine.run(['/etc/id', '--user'], { user: 'nobody' });
    expect(stdout).toBe('65534\n');
  });
});

const MANY = 20_000;

test.each([...kinds])(`a closure with ${MANY} files is shown from %s, and given back`, async (kind) => {
  await machine.shell(`
    mkdir -p ${CLOSURE}/etc
    cd ${CLOSURE}/etc
    for ((directory = 0; directory < 200; directory++)); do
      mkdir $directory
      for ((file = 0; file < ${MANY / 200}; file++)); do echo "$directory/$file" >$directory/$file; done
    done
  `);
  const etc: Seen[] = machine.etc();
  const image = imageOn(machine, kind, CLOSURE);
  const begun = performance.now();
  expect(await machine.activate('switch', image)).toContain('Generation 1 is live');
  const switched = performance.now();
  expect(await machine.shell('find /etc -type l | wc -l; cat /etc/0/0 /etc/199/99')).toBe(`${MANY}\n0/0\n199/99\n`);
  expect(await machine.activate('verify')).toContain('as recorded');
  const verified = performance.now();
  await machine.activate('rollback', '0');
  const [shown, verify, back] = [switched - begun, verified - switched, performance.now() - verified].map(
    (ms) => `${(ms / 1000).toFixed(1)} s`,
  );
  console.log(`${MANY} files in ${kind}: switch ${shown}, verify ${verify}, rollback to 0 ${back}`);
  expect(machine.etc()).toEqual(etc);
});
