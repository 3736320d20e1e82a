import { describe, expect, test } from 'bun:test';
import { appendFileSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { ActivateError } from '../../src/core/errors';
import type { TargetPath } from '../../src/core/path';
import type { Step } from '../../src/core/plan/step';
import { generate } from '../../src/engine/closure/bundle';
import { withMachine } from '../../src/engine/state/machine';
import { prepareTransition } from '../../src/engine/deciding/prepare';
import { resume, switchTo } from '../../src/engine/switching';
import type { Perform } from '../../src/engine/transition/apply';
import { carryOut } from '../../src/engine/transition/transition';
import { tryRecordLock } from '../../src/system/locking';
import { closeRoot, openRoot } from '../../src/system/tree/rooted';
import { lived, readAccounts, writeAccounts } from '../support/accounts';
import { type Contents, writeClosure, writeContents } from '../support/closures';
import { closureAt, contextOn, planOn, switchOn } from '../support/engine';
import { testFor } from '../support/overlay';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const www: Contents = {
  'etc/motd': 'hello\n',
  'usr/lib/sysusers.d/web.conf': 'u www 33 "Web server" /var/www\nm www adm\n',
};

const withWww = {
  passwd: `${lived.passwd}www:x:33:33:Web server:/var/www:/usr/sbin/nologin\n`,
  group: 'root:x:0:\nadm:x:4:alice,www\nalice:x:1000:\nwww:x:33:\n',
  // The clock of the tests stands at 2 January 2026.
  shadow: `${lived.shadow}www:!*:20455::::::\n`,
  gshadow: 'root:*::\nadm:*::alice,www\nalice:!::\nwww:!*::\n',
};

async function withUsers(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    writeAccounts(sandbox);
    // Whoever ever changed a password has left it behind.
    writeFileSync(sandbox.on('/etc/.pwd.lock'), '', { mode: 0o600 });
    await task(sandbox);
  });
}

async function failureOf(action: () => Promise<unknown>): Promise<ActivateError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof ActivateError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Carries out a switch with some steps done in another way. */
function switchWith(sandbox: Sandbox, closure: string, wrap: (perform: Perform) => Perform): Promise<unknown> {
  const context = contextOn(sandbox.root);
  return withMachine(context, (machine) =>
    carryOut(context, machine, prepareTransition(context, machine, closureAt(closure)), 'live and default', wrap),
  );
}

describe('users that the machine lacks', () => {
  test('are added, all else stays byte for byte, and a second switch has nothing to do', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', www);
      expect(
        (await planOn(sandbox.root, closureAt(closure))).decisions.map(({ path, action }) => `${action} ${path}`),
      ).toEqual([
        'adopt /etc',
        'edit /etc/group',
        'edit /etc/gshadow',
        'create /etc/motd',
        'edit /etc/passwd',
        'edit /etc/shadow',
      ]);
      expect(readAccounts(sandbox)).toEqual(lived);
      await switchOn(sandbox.root, closureAt(closure));
      expect(readAccounts(sandbox)).toEqual(withWww);
      const { mode, gid } = statSync(sandbox.on('/etc/shadow'));
      expect([(mode & 0o7777).toString(8), gid]).toEqual(['640', 42]);
      const before = takeSnapshot(sandbox.on('/etc'), { inodes: true });
      expect((await switchOn(sandbox.root, closureAt(closure))).state).toBe('nothing to do');
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc'), { inodes: true }), { times: true })).toEqual([]);
    });
  });

  test('stay when the closure that wanted them goes', async () => {
    await withUsers(async (sandbox) => {
      const plain = writeClosure(sandbox, 'plain', { 'etc/motd': 'plain\n' });
      await switchOn(sandbox.root, closureAt(plain));
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, 'a', www)));
      await switchOn(sandbox.root, { kind: 'generation', number: 1 });
      expect(readAccounts(sandbox)).toEqual(withWww);
      await switchOn(sandbox.root, { kind: 'generation', number: 0 });
      expect(readAccounts(sandbox)).toEqual(withWww);
    });
  });

  test('are made again by a switch to the generation, which keeps its lines', async () => {
    await withUsers(async (sandbox) => {
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, 'a', www)));
      writeAccounts(sandbox);
      await switchOn(sandbox.root, { kind: 'generation', number: 1 });
      expect(readAccounts(sandbox)).toEqual(withWww);
      expect(readFileSync(sandbox.on('/var/lib/activate/generations/1/sysusers.conf'), 'utf8')).toBe(
        '# usr/lib/sysusers.d/web.conf:1\nu www 33 "Web server" /var/www\n# usr/lib/sysusers.d/web.conf:2\nm www adm\n',
      );
    });
  });

  test('get an id of the machine where the line has none, and rules may name them', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'etc/motd': 'hello\n',
        'etc/sysusers.d/x.conf': 'u dynamic\ng web 44\nu owner /srv/owned\nr - 300-350\n',
        'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/motd"\nowner = "dynamic"\ngroup = "web"\n',
      });
      writeContents(sandbox.on('/srv'), { owned: { file: '', uid: 310, gid: 310 } });
      await switchOn(sandbox.root, closureAt(closure));
      const { uid, gid } = statSync(sandbox.on('/etc/motd'));
      const ids = ['dynamic', 'owner'].map(
        (name) => new RegExp(`^${name}:x:(\\d+):`, 'mu').exec(readAccounts(sandbox).passwd)?.[1],
      );
      expect([ids, gid, uid >= 300 && uid <= 350]).toEqual([[String(uid), '310'], 44, true]);
    });
  });

  test('get groups; users that are there get none of their own name', async () => {
    await withUsers(async (sandbox) => {
      appendFileSync(sandbox.on('/etc/passwd'), 'sync:x:9:65534:::\n');
      const lines = 'u sync 9\nu alice 1000\nm sync adm\nu www 33\n';
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, 'a', { 'etc/sysusers.d/a.conf': lines })));
      expect(readAccounts(sandbox).group).toBe('root:x:0:\nadm:x:4:alice,sync\nalice:x:1000:\nwww:x:33:\n');
    });
  });

  test('are the first on an empty machine, as they would be in a bundle', async () => {
    await withSandbox(async (sandbox) => {
      const lines = 'u root 0 "Super User" /root\ng shadow 42\nu www 33\n';
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, 'a', { 'usr/lib/sysusers.d/a.conf': lines })));
      expect(readAccounts(sandbox)).toEqual({
        passwd: 'root:x:0:0:Super User:/root:/bin/sh\nwww:x:33:33::/:/usr/sbin/nologin\n',
        group: 'shadow:x:42:\nroot:x:0:\nwww:x:33:\n',
        shadow: 'root:!*:1::::::\nwww:!*:1::::::\n',
        gshadow: 'shadow:!*::\nroot:!*::\nwww:!*::\n',
      });
      const { mode, uid, gid } = statSync(sandbox.on('/etc/shadow'));
      expect([mode & 0o7777, uid, gid]).toEqual([0o640, 0, 42]);
    });
  });

  test("come to the closure's own on an empty machine", async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'etc/passwd': 'root:x:0:0:built:/root:/bin/sh\n',
        'etc/group': 'root:x:0:\n',
        'etc/sysusers.d/a.conf': 'u dynamic\nu root 0 "Super User"\n',
      });
      await switchOn(sandbox.root, closureAt(closure));
      const { passwd, shadow } = readAccounts(sandbox);
      expect(passwd).toMatch(/^root:x:0:0:built:\/root:\/bin\/sh\ndynamic:x:\d+:\d+::\/:\/usr\/sbin\/nologin\n$/u);
      expect(shadow).toBe('dynamic:!*:1::::::\n');
      expect((await switchOn(sandbox.root, closureAt(closure))).state).toBe('nothing to do');
    });
  });
});

describe('the lines of a closure', () => {
  const name = 'come from three directories; the first to have a name wins, and a link to /dev/null hides it';
  testFor(['tree', 'squashfs', 'erofs'], 'a link in a store leads to the machine', name, async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'etc/sysusers.d/b.conf': 'u b 51\n',
        'etc/sysusers.d/c.conf': { link: '/dev/null' },
        'etc/sysusers.d/README': 'no line\n',
        'usr/lib/sysusers.d/b.conf': 'u hidden 52\n',
        'usr/lib/sysusers.d/c.conf': 'u hidden 53\n',
        'usr/lib/sysusers.d/a.conf': { link: '/usr/share/a.conf' },
        'usr/share/a.conf': 'u a 54\n',
        lib: { link: 'usr/lib' },
      });
      await switchOn(sandbox.root, closureAt(closure));
      expect(readFileSync(sandbox.on('/var/lib/activate/generations/1/sysusers.conf'), 'utf8')).toBe(
        '# usr/lib/sysusers.d/a.conf:1\nu a 54\n# etc/sysusers.d/b.conf:1\nu b 51\n',
      );
    });
  });

  test('make another generation of a closure that is the same otherwise', async () => {
    await withUsers(async (sandbox) => {
      await switchOn(
        sandbox.root,
        closureAt(writeClosure(sandbox, 'a', { 'etc/motd': '', 'lib/sysusers.d/a.conf': 'g a 51\n' })),
      );
      await switchOn(
        sandbox.root,
        closureAt(writeClosure(sandbox, 'b', { 'etc/motd': '', 'lib/sysusers.d/a.conf': 'g b 52\n' })),
      );
      expect(readFileSync(sandbox.on('/var/lib/activate/generations/2/sysusers.conf'), 'utf8')).toContain('g b 52');
    });
  });

  test('that are damaged in the record are refused', async () => {
    await withUsers(async (sandbox) => {
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, 'a', www)));
      writeFileSync(sandbox.on('/var/lib/activate/generations/1/sysusers.conf'), 'u evil 0\n');
      const failure = await failureOf(() => switchOn(sandbox.root, { kind: 'generation', number: 1 }));
      expect([failure.code, failure.path]).toEqual([
        'STATE',
        sandbox.on('/var/lib/activate/generations/1/sysusers.conf'),
      ]);
    });
  });

  test('leave no trace where there are none', async () => {
    await withSandbox(async (sandbox) => {
      await switchOn(sandbox.root, closureAt(writeClosure(sandbox, 'a', { 'etc/motd': '' })));
      expect(existsSync(sandbox.on('/var/lib/activate/generations/1/sysusers.conf'))).toBe(false);
      expect(existsSync(sandbox.on('/etc/.pwd.lock'))).toBe(false);
    });
  });
});

describe('a bundle', () => {
  const lines = 'u root 0\ng shadow 42\nu www 33\nm www shadow\n';

  async function bundleIn(sandbox: Sandbox): Promise<string> {
    const closure = writeClosure(sandbox, 'a', { 'etc/motd': '', 'lib/sysusers.d/a.conf': lines });
    const output = sandbox.on('/bundle');
    await generate(contextOn(sandbox.root), closure, { output, location: undefined });
    rmSync(closure, { recursive: true });
    return output;
  }

  test('brings its users along', async () => {
    await withUsers(async (sandbox) => {
      await switchOn(sandbox.root, closureAt(await bundleIn(sandbox)));
      const { passwd, group, shadow } = readAccounts(sandbox);
      expect(passwd).toBe(`${lived.passwd}www:x:33:33::/:/usr/sbin/nologin\n`);
      expect(group).toBe(`${lived.group}shadow:x:42:www\nwww:x:33:\n`);
      expect(shadow).toContain(lived.shadow);
    });
  });

  test('brings whole files to an empty machine', async () => {
    await withSandbox(async (sandbox) => {
      const bundle = await bundleIn(sandbox);
      await switchOn(sandbox.root, closureAt(bundle));
      const there = readAccounts(sandbox);
      expect(there.passwd).toBe('root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/usr/sbin/nologin\n');
      expect(there.shadow).toBe(readFileSync(`${bundle}/overlay/etc/shadow`, 'utf8'));
      expect((await switchOn(sandbox.root, closureAt(bundle))).state).toBe('nothing to do');
    });
  });

  test('whose lines were changed is refused', async () => {
    await withUsers(async (sandbox) => {
      const bundle = await bundleIn(sandbox);
      appendFileSync(`${bundle}/sysusers.conf`, 'u evil 0\n');
      const failure = await failureOf(() => switchOn(sandbox.root, closureAt(bundle)));
      expect([failure.code, failure.path]).toEqual(['CLOSURE', `${bundle}/sysusers.conf`]);
    });
  });
});

describe('a machine that says something else', () => {
  test.each<[string, string[]]>([
    ['u alice 44', ['/etc/passwd contradicted']],
    ['u www 1000', ['/etc/passwd contradicted']],
    ['g adm 44', ['/etc/group contradicted']],
    ['g web 4', ['/etc/group contradicted']],
    ['u alice 1000:adm', ['/etc/passwd contradicted']],
  ])('is in conflict with %s, and nothing is written', async (line, expected) => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/sysusers.d/a.conf': `${line}\nu fine 77\n`, 'etc/motd': '' });
      const before = takeSnapshot(sandbox.on('/etc'));
      const outcome = await switchTo(contextOn(sandbox.root), closureAt(closure), 'live and default', {});
      const conflicts = outcome.state === 'refused' ? outcome.conflicts : [];
      expect(conflicts.map(({ path, reason }) => `${path} ${reason}`)).toEqual(expected);
      expect(compareSnapshots(before, takeSnapshot(sandbox.on('/etc')), { times: true })).toEqual([]);
    });
  });

  test('is in conflict where a policy places passwd as a whole', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        ...www,
        'etc/passwd': lived.passwd,
        'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/passwd"\nplace = "copy"\n',
      });
      const { conflicts } = await planOn(sandbox.root, closureAt(closure));
      expect(conflicts.map(({ path, reason }) => `${path} ${reason}`)).toContain('/etc/passwd managed');
    });
  });

  test('is in conflict where a file or its directory cannot be changed', async () => {
    for (const [path, expected] of [
      ['/etc/group', ['/etc/group blocked']],
      ['/etc', ['group', 'gshadow', 'passwd', 'shadow'].map((name) => `/etc/${name} blocked`)],
    ] as const) {
      await withUsers(async (sandbox) => {
        const closure = writeClosure(sandbox, 'a', { 'lib/sysusers.d/web.conf': 'u www 33\n' });
        expect(Bun.spawnSync(['chattr', '+i', sandbox.on(path)]).exitCode).toBe(0);
        const { conflicts } = await planOn(sandbox.root, closureAt(closure));
        Bun.spawnSync(['chattr', '-i', sandbox.on(path)]);
        expect(conflicts.map((each) => `${each.path} ${each.reason}`)).toEqual([...expected]);
      });
    }
  });

  test('is refused where passwd is a link', async () => {
    await withUsers(async (sandbox) => {
      rmSync(sandbox.on('/etc/passwd'));
      const closure = writeClosure(sandbox, 'a', www);
      writeFileSync(sandbox.on('/elsewhere'), lived.passwd);
      Bun.spawnSync(['ln', '-s', '../elsewhere', sandbox.on('/etc/passwd')]);
      expect((await failureOf(() => switchOn(sandbox.root, closureAt(closure)))).code).toBe('REFUSED');
      expect(readFileSync(sandbox.on('/elsewhere'), 'utf8')).toBe(lived.passwd);
    });
  });
});

describe('a switch that fails', () => {
  test('at any step leaves users, groups and passwords as they were', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', www);
      const before = takeSnapshot(sandbox.on('/etc'), { inodes: true });
      for (let at = 0, isOver = false; !isOver; at += 1) {
        let count = -1;
        const switching = switchWith(sandbox, closure, (perform) => (step) => {
          count += 1;
          if (count === at) throw new ActivateError('IO', 'the disk is on fire');
          return perform(step);
        });
        const ended = await switching.then(
          () => 'done',
          (error: unknown) => (error as ActivateError).code,
        );
        isOver = ended === 'done';
        const now = takeSnapshot(sandbox.on('/etc'), { inodes: true });
        if (isOver) expect([readAccounts(sandbox), at > 8]).toEqual([withWww, true]);
        else expect([ended, compareSnapshots(before, now, { times: true })]).toEqual(['FAILED', []]);
      }
    });
  });

  test('is undone where somebody adds a user between the plan and the swap, and that user stays', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', www);
      let isDone = false;
      const failure = await failureOf(() =>
        switchWith(sandbox, closure, (perform) => (step) => {
          if (step.op === 'exchange' && !isDone) {
            appendFileSync(sandbox.on('/etc/passwd'), 'bob:x:1001:1001:::\n');
            isDone = true;
          }
          return perform(step);
        }),
      );
      expect(failure.code).toBe('FAILED');
      expect(readAccounts(sandbox)).toEqual({ ...lived, passwd: `${lived.passwd}bob:x:1001:1001:::\n` });
      await switchOn(sandbox.root, closureAt(closure));
      expect(readAccounts(sandbox).passwd).toMatch(/bob:x:1001:1001:::\nwww:x:33:33:/u);
    });
  });

  test('leaves what somebody added after the swap, and with it what the switch added', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', www);
      let isBurning = true;
      const failure = await failureOf(() =>
        switchWith(sandbox, closure, (perform) => (step) => {
          if (step.op !== 'point' || !isBurning) return perform(step);
          isBurning = false;
          appendFileSync(sandbox.on('/etc/passwd'), 'bob:x:1001:1001:::\n');
          throw new ActivateError('IO', 'the disk is on fire');
        }),
      );
      expect(failure.code).toBe('FAILED');
      expect(readAccounts(sandbox)).toEqual({ ...lived, passwd: `${withWww.passwd}bob:x:1001:1001:::\n` });
      expect(takeSnapshot(sandbox.on('/etc')).filter(({ path }) => path.includes('.activate.'))).toEqual([]);
    });
  });

  test('waits for whoever is changing a password, and in the end is refused', async () => {
    await withUsers(async (sandbox) => {
      const root = openRoot(sandbox.root);
      const taken = tryRecordLock(root, '/etc/.pwd.lock' as TargetPath);
      try {
        const closure = writeClosure(sandbox, 'a', www);
        const context = contextOn(sandbox.root, { elapsed: () => performance.now() * 100 });
        const failure = await failureOf(() => switchTo(context, closureAt(closure), 'live and default', {}));
        expect([failure.code, failure.path]).toEqual(['LOCKED', '/etc/.pwd.lock']);
        expect(readAccounts(sandbox)).toEqual(lived);
        expect(existsSync(sandbox.on('/var/lib/activate/transition.json'))).toBe(false);
      } finally {
        if (taken.state === 'held') taken.lock.release();
        closeRoot(root);
      }
    });
  });
});

/** Leaves the machine as it is before one of the steps. */
async function crashBefore(sandbox: Sandbox, closure: string, at: number): Promise<'crashed' | 'done'> {
  let count = 0;
  const { promise: dead, resolve: die } = Promise.withResolvers<'crashed'>();
  const transition = switchWith(sandbox, closure, (perform) => async (step: Step) => {
    count += 1;
    if (count <= at) return perform(step);
    die('crashed');
    return new Promise<void>(() => undefined);
  });
  return Promise.race([dead, transition.then(() => 'done' as const)]);
}

/** Does the same after a crash before each step of a switch, and once after none. */
async function beforeEachStep(task: (sandbox: Sandbox, closure: string) => Promise<void>): Promise<void> {
  for (let at = 0; ; at += 1) {
    let ended = '';
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', www);
      ended = await crashBefore(sandbox, closure, at);
      await task(sandbox, closure);
    });
    if (ended === 'done') return;
  }
}

describe('a switch that was interrupted', () => {
  test('before any step adds all or nothing when it is resumed', async () => {
    const seen = new Set<string>();
    await beforeEachStep(async (sandbox, closure) => {
      await resume(contextOn(sandbox.root));
      const now = readAccounts(sandbox);
      const which = [lived, withWww].findIndex((each) => Bun.deepEquals(each, now));
      seen.add(`${which}`);
      await switchOn(sandbox.root, closureAt(closure));
      expect(readAccounts(sandbox)).toEqual(withWww);
    });
    expect([...seen].toSorted()).toEqual(['0', '1']);
  });

  test('never takes away what somebody added since', async () => {
    await beforeEachStep(async (sandbox, closure) => {
      appendFileSync(sandbox.on('/etc/passwd'), 'bob:x:1001:1001:::\n');
      appendFileSync(sandbox.on('/etc/shadow'), 'bob:$6$bob:20000::::::\n');
      await resume(contextOn(sandbox.root));
      const { passwd, shadow } = readAccounts(sandbox);
      expect(passwd).toContain('bob:x:1001:1001:::\n');
      expect(shadow).toContain('bob:$6$bob:20000::::::\n');
      await switchOn(sandbox.root, closureAt(closure));
      expect(readAccounts(sandbox).passwd).toContain('www:x:33:33:');
      expect(readAccounts(sandbox).passwd).toContain('bob:x:1001:');
    });
  });
});
