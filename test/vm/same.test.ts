import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';
import { type Described, describedBy, differencesOf, lastingDifferences, withoutOurs } from '../support/vm/comparing';
import type { Suite } from '../support/vm/debian';
import { bootWith, bootWithout, type Hook, hooks, installOf } from '../support/vm/hooks';
import { type MachineFiles, machineFiles } from '../support/vm/image';
import { boot, type Booted, forkDisk } from '../support/vm/qemu';

// A machine that boots with the whole of its /etc managed is the machine that boots with a real /etc: for each hook, with
// systemd 252 and 257. The root is mounted read-only by the kernel, as Debian has it, and by the fstab read-write.

const LIMIT_MS = 3_600_000;
const scratch = makeTemporaryDirectory();
afterAll(() => removeTree(scratch));

const DESCRIBE = '/usr/lib/vm-test/describe "$RESULTS/state"';
const COPY = 'mkdir -p /var/closures/whole && cp -a /etc /var/closures/whole/etc';
const SWITCH = 'activate switch /var/closures/whole';
/** A file that was last read long ago says when it is read: whether anything ran `activate` while the machine booted. */
const FORGET = 'touch -a -d @0 /usr/bin/activate';
const LAST_READ = 'stat --format=%X /usr/bin/activate >>"$RESULTS/last-read"';
const LOOK = [
  LAST_READ,
  'activate verify >"$RESULTS/verify"',
  'cp /run/activate/boot.json "$RESULTS/"',
  'find /etc -lname \'/run/filesystem-overlay/*\' | wc -l >"$RESULTS/links"',
  // By now it was read, by the commands above.
  LAST_READ,
].join('\n');

interface Chain {
  readonly machine: MachineFiles;
  readonly installing: Promise<Booted>;
  readonly took: ReadonlyMap<Hook, Promise<Link>>;
}

/** A boot of the managed machine with one hook. */
interface Link {
  readonly booted: Booted;
  /** The same boot, from the disk as it was before. */
  readonly again: () => Promise<Booted>;
}

function install(hook: Hook | undefined, ...then: readonly string[]): string {
  return hook === undefined ? 'true' : ['set -e', installOf[hook], ...then].join('\n');
}

/**
 * Boots one machine with one hook after the other: each boot describes the machine, then installs the next hook. The init wrapper
 * is the last one: while the kernel is told to start it, nothing takes it away.
 */
async function startChain(suite: Suite): Promise<Chain> {
  const machine = await machineFiles(suite);
  let disk = await forkDisk({ file: machine.disk, format: 'raw' }, scratch);
  const hows = new Map(hooks.map((hook) => [hook, bootWith(machine, hook)]));
  const run = [install(hooks[0]), COPY, SWITCH, FORGET].join('\n');
  const installing = boot(machine, disk, { writes: 'keep', run });
  let before = installing;
  const took = new Map<Hook, Promise<Link>>();
  for (const [index, hook] of hooks.entries()) {
    const previous = before;
    const next = hooks[index + 1];
    // What has to be real with the first hook can be links with the others.
    const then = install(next, ...(index === 0 ? [SWITCH] : []));
    const link = (async (): Promise<Link> => {
      const { status } = await previous;
      if (status !== 0) throw new Error(`the boot before the one with ${hook} failed`);
      const from = disk;
      disk = await forkDisk(from, scratch);
      const how = await hows.get(hook);
      const options = { ...how, append: `${how?.append ?? ''} ro` };
      const booted = await boot(machine, disk, {
        ...options,
        writes: 'keep',
        run: [DESCRIBE, LOOK, then, FORGET].join('\n'),
      });
      return { booted, again: () => boot(machine, from, { ...options, run: DESCRIBE }) };
    })();
    link.catch(() => undefined);
    before = link.then(({ booted }) => booted);
    before.catch(() => undefined);
    took.set(hook, link);
  }
  return { machine, installing, took };
}

const chains = new Map<Suite, Promise<Chain>>();
/** All boots of a machine are asked for at once, and wait for their turn. */
async function chainOf(suite: Suite): Promise<Chain> {
  const found = chains.get(suite);
  if (found !== undefined) return found;
  const chain = startChain(suite);
  chains.set(suite, chain);
  const { machine } = await chain;
  for (const hook of hooks) void real(machine, hook);
  return chain;
}

const reals = new Map<string, Promise<Booted>>();
/** The same machine with its real /etc, booted once for all hooks that boot alike. */
async function real(machine: MachineFiles, hook: Hook): Promise<Booted> {
  const how = await bootWithout(machine, hook);
  const key = `${machine.suite} ${how.initrds?.join(' ')}`;
  const found = reals.get(key) ?? bootReal(machine, hook);
  reals.set(key, found);
  return found;
}

async function bootReal(machine: MachineFiles, hook: Hook): Promise<Booted> {
  const how = await bootWithout(machine, hook);
  return boot(machine, { file: machine.disk, format: 'raw' }, { ...how, append: 'ro', run: DESCRIBE });
}

/** What a managed machine has and a real one has not, and the other way round. */
async function differences(machine: MachineFiles, hook: Hook, { booted, again }: Link): Promise<readonly string[]> {
  const compare = (was: Booted, is: Booted): string[] => {
    const described = describedBy(is);
    return differencesOf(
      withoutOurs(describedBy(was)),
      withoutOurs(hook === 'oneshot' ? withoutEarlyWarnings(described) : described),
    );
  };
  return lastingDifferences(`${machine.suite} ${hook}`, [
    async () => compare(await real(machine, hook), booted),
    async () => compare(await bootReal(machine, hook), await again()),
  ]);
}

/** Generators read links that lead nowhere before a oneshot runs; its daemon-reload has them run again. */
function withoutEarlyWarnings(described: Described): Described {
  const early = /stat\(\) failed on \/etc\/init\.d\//u;
  return { ...described, warnings: described['warnings']?.filter((line) => !early.test(line)) ?? [] };
}

const suites: readonly { readonly suite: Suite; readonly systemd: number }[] = [
  { suite: 'bookworm', systemd: 252 },
  { suite: 'trixie', systemd: 257 },
];

// What the second machine is made of is made while the first one boots.
beforeAll(() => {
  for (const { suite } of suites) void chainOf(suite).catch(() => undefined);
});

describe.each(suites)('with systemd $systemd', ({ suite }) => {
  test(
    'the whole of /etc is taken over',
    async () => {
      const { machine, installing, took } = await chainOf(suite);
      const { ended, status, results } = await installing;
      expect({ ended, status, stderr: results['stderr'] }).toEqual({ ended: 'run', status: 0, stderr: '' });
      const link = await took.get('init');
      expect(Number(link?.booted.results['links'])).toBeGreaterThan(150);
      const files = describedBy(await real(machine, 'init'))['etc']?.filter((line) => line.includes(' file '));
      expect(files?.length).toBeGreaterThan(200);
    },
    LIMIT_MS,
  );

  test.each([...hooks])(
    'a managed /etc boots with %s as the real one',
    async (hook) => {
      const { machine, took } = await chainOf(suite);
      const link = await took.get(hook);
      if (link === undefined) throw new Error('it was not booted');
      const { ended, status, results, console: shown, seconds } = link.booted;
      expect({ ended, status, shown: ended === 'run' ? '' : shown }).toEqual({ ended: 'run', status: 0, shown: '' });
      expect(describedBy(link.booted)['failed']).toEqual(['site-broken.service']);
      expect(await differences(machine, hook, link)).toEqual([]);
      const [first, second] = results['last-read']?.trim().split('\n').map(Number) ?? [];
      expect(first).toBe(0);
      expect(second).toBeGreaterThan(0);
      const place = hook === 'oneshot' || hook === 'init' ? hook : 'initrd';
      expect(JSON.parse(results['boot.json'] ?? '')).toMatchObject({ hook: place, brought: false });
      console.log(`${suite} ${hook}: ${seconds.toFixed(1)} s`);
    },
    LIMIT_MS,
  );
});
