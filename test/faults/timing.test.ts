import { expect, test } from 'bun:test';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { Step } from '../../src/core/plan/step';
import { withMachine } from '../../src/engine/state/machine';
import { carryOut } from '../../src/engine/transition/transition';
import { type Contents, writeClosure } from '../support/closures';
import { insistOn } from '../support/cli';
import { closureAt, contextOn, switchOn, withPrepared } from '../support/engine';
import { openMachine } from '../support/machine';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { takeSnapshot } from '../support/snapshot';

// What an attacker in a directory that others may write could do with perfect timing.

const SECRET = { file: 'the secret\n', mode: 0o600 } as const;
const policy = 'schema = 1\n[[path]]\nmatch = "secret"\nplace = "copy"\n';

function closure(sandbox: Sandbox, name: string, contents: Contents): string {
  return writeClosure(sandbox, name, { ...contents, 'activation.toml': policy });
}

/** Switches, with something done right before the first step that is asked for, and says how it ended. */
async function switchWith(
  sandbox: Sandbox,
  to: string,
  isMoment: (step: Step) => boolean,
  attack: () => void,
): Promise<string> {
  const context = contextOn(sandbox.root);
  let attacked = false;
  const switching = withMachine(context, (machine) =>
    withPrepared({ context, machine, attitudes: { onDrift: 'backup' } }, closureAt(to), (prepared) =>
      carryOut(context, machine, prepared, 'live and default', (perform) => (step) => {
        if (!attacked && isMoment(step)) {
          attacked = true;
          attack();
        }
        return perform(step);
      }),
    ),
  );
  const end = await switching.then(
    () => 'done',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
  expect(attacked).toBe(true);
  return end;
}

function statusOf(path: string): { readonly mode: string; readonly uid: number } {
  const { mode, uid } = lstatSync(path);
  return { mode: (mode & 0o7777).toString(8), uid };
}

function exchange(a: string, b: string): void {
  renameSync(a, `${a}.x`);
  renameSync(b, a);
  renameSync(`${a}.x`, b);
}

test.each([
  [
    'another user',
    { 'etc/shared': { directory: 0o755, uid: 1000 }, 'etc/shared/sub': { directory: 0o755, uid: 1000 } },
    0o700,
  ],
  [
    'root, and that all may write,',
    { 'etc/shared': { directory: 0o777 }, 'etc/shared/sub': { directory: 0o755 } },
    0o775,
  ],
] as const)(
  "a directory of %s cannot lend root's file the mode and owner of another path",
  async (_, contents, mode) => {
    await withSandbox(async (sandbox) => {
      const both = { ...contents, 'etc/shared/secret': SECRET };
      await switchOn(sandbox.root, closureAt(closure(sandbox, '1', both)));
      const next = { ...both, 'etc/shared/sub': { ...contents['etc/shared/sub'], directory: mode } };
      const attack = (): void => exchange(sandbox.on('/etc/shared/sub'), sandbox.on('/etc/shared/secret'));
      await switchWith(sandbox, closure(sandbox, '2', next), ({ op }) => op === 'own', attack);
      const root = readdirSync(sandbox.on('/etc/shared')).filter((name) =>
        lstatSync(sandbox.on(`/etc/shared/${name}`)).isFile(),
      );
      expect(root.map((name) => statusOf(sandbox.on(`/etc/shared/${name}`)))).toEqual([{ mode: '600', uid: 0 }]);
    });
  },
);

test.each([0o777, 0o755])(
  'a directory in one of mode %o that becomes a link leads no step out of the root',
  async (mode) => {
    await withSandbox(async (sandbox) => {
      const shared = { 'etc/shared': { directory: mode }, 'etc/shared/sub': { directory: 0o755 } };
      const first = closure(sandbox, '1', {
        ...shared,
        'etc/shared/sub/a': 'one\n',
        'etc/shared/sub/secret': SECRET,
        'etc/shared/sub/link': { link: 'x' },
      });
      const second = closure(sandbox, '2', {
        ...shared,
        'etc/shared/sub/b': 'two\n',
        'etc/shared/sub/secret': { ...SECRET, file: 'new\n' },
        'etc/shared/sub/link': { link: 'y' },
      });
      const victim = sandbox.on('/victim');
      mkdirSync(victim);
      for (const name of ['a', 'b', 'secret', 'link']) writeFileSync(`${victim}/${name}`, name);
      const [sub, real] = [sandbox.on('/etc/shared/sub'), sandbox.on('/etc/shared/real')];
      const seen = takeSnapshot(victim);
      for (let at = 0; ; at += 1) {
        await switchOn(sandbox.root, closureAt(first), { onDrift: 'backup', onConflict: 'backup' });
        let count = 0;
        let attacked = false;
        const attack = (): void => {
          attacked = true;
          renameSync(sub, real);
          symlinkSync(victim, sub);
        };
        const isMoment = (): boolean => (count += 1) === at + 1;
        const end = await switchWith(sandbox, second, isMoment, attack).catch(() => 'too late');
        expect(takeSnapshot(victim)).toEqual(seen);
        if (!attacked) return;
        expect(['FAILED', 'UNDO_FAILED', 'done', 'too late']).toContain(end);
        renameSync(sub, sandbox.on(`/victim-link-${at}`));
        renameSync(real, sub);
        await insistOn(sandbox)('resume', '--wait', '60');
      }
    });
  },
  60_000,
);

/** Runs before systemd-tmpfiles, where the plan was checked already. */
const AMBUSH = `#!/bin/sh
case "$*" in *--VERB*) mv -T /etc/open/sub /etc/open/real; SWAP;; esac
/usr/bin/systemd-tmpfiles "$@"
status=$?
[ ! -L /etc/open/sub ] || { mv -T /etc/open/sub /etc/open/taken; mv -T /etc/open/real /etc/open/sub; }
exit $status
`;

const OWN_LINK = 'ln -s /var/victim /etc/open/sub; chown -h 1000 /etc/open/sub';
const LINK_OF_ROOT = 'mv -T /etc/open/link /etc/open/sub';

test.each([
  ['create', 'a link of his own', 0o777, OWN_LINK],
  ['create', "a link of root's, moved", 0o777, LINK_OF_ROOT],
  ['remove', 'a link of his own', 0o777, OWN_LINK],
  ['remove', 'a link of his own', 0o775, OWN_LINK],
] as const)(
  'systemd-tmpfiles --%s is not led out of /etc by %s in a directory of mode %o',
  async (verb, _, mode, swap) => {
    const machine = await openMachine();
    try {
      const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
      const open = {
        'etc/open': { directory: mode },
        'etc/open/link': { link: '/var/victim' },
        'etc/open/sub/stays': 'x\n',
      };
      writeClosure(sandbox, '1', { ...open, 'etc/open/sub/old': 'old\n' });
      writeClosure(sandbox, '2', { ...open, 'etc/open/sub/new': 'new\n' });
      mkdirSync(machine.on('/var/victim'));
      writeFileSync(machine.on('/var/victim/old'), 'precious\n');
      mkdirSync(machine.on('/var/ambush'));
      const script = machine.on('/var/ambush/systemd-tmpfiles');
      writeFileSync(script, AMBUSH.replaceAll('VERB', verb).replaceAll('SWAP', swap));
      chmodSync(script, 0o755);
      await machine.activate('switch', '/closures/1');
      chownSync(machine.on('/etc/open'), 0, mode === 0o775 ? 1000 : 0);
      const before = takeSnapshot(machine.on('/var/victim'));
      const path = { PATH: `/var/ambush:${process.cwd()}/dist:/usr/bin:/bin` };
      const { status } = await machine.attempt(['switch', '/closures/2'], { environment: path });
      expect(takeSnapshot(machine.on('/var/victim'))).toEqual(before);
      expect([0, 3, 4]).toContain(status);
    } finally {
      await machine.close();
    }
  },
  60_000,
);

test('what comes back from another filesystem is not led out of /etc', async () => {
  const machine = await openMachine({ mounts: ['/var/lib/activate'] });
  try {
    const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
    const open = { 'etc/open': { directory: 0o777 }, 'etc/open/sub/stays': 'x\n' };
    writeClosure(sandbox, '1', { ...open, 'etc/open/sub/mine': 'built\n' });
    writeClosure(sandbox, '2', open);
    await machine.shell(
      'mkdir -p /etc/open/sub /var/victim /var/ambush; chmod 0777 /etc/open; echo own >/etc/open/sub/mine',
    );
    const script = `#!/bin/sh
      mv -T /etc/open/sub /etc/open/real; ln -s /var/victim /etc/open/sub; chown -h 1000 /etc/open/sub
      /usr/bin/cp "$@"
      status=$?
      rm /etc/open/sub; mv -T /etc/open/real /etc/open/sub
      exit $status
    `;
    writeFileSync(machine.on('/var/ambush/cp'), script);
    chmodSync(machine.on('/var/ambush/cp'), 0o755);
    await machine.activate('switch', '/closures/1', '--on-conflict=backup');
    const before = takeSnapshot(machine.on('/var/victim'));
    const environment = { PATH: `/var/ambush:${process.cwd()}/dist:/usr/bin:/bin` };
    const { status } = await machine.attempt(['switch', '1'], { environment });
    expect(status).toBe(0);
    const back = await machine.attempt(['rollback', '0'], { environment });
    expect(takeSnapshot(machine.on('/var/victim'))).toEqual(before);
    expect([0, 3, 4]).toContain(back.status);
  } finally {
    await machine.close();
  }
}, 60_000);
