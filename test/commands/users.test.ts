import { describe, expect, test } from 'bun:test';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { lived, readAccounts, writeAccounts } from '../support/accounts';
import { activateOn, insistOn, runActivate } from '../support/cli';
import { type Contents, writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const www: Contents = {
  'etc/motd': 'hello\n',
  'etc/sysusers.d/web.conf': '# The web server\nu www 33 "Web server" /var/www\nm www adm\n',
};

async function withUsers(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    writeAccounts(sandbox);
    await task(sandbox);
  });
}

describe('diff', () => {
  test('shows users and groups as text, and of passwords only that there are some; nothing is written', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', www);
      const before = takeSnapshot(sandbox.root, { inodes: true });
      const diff = await insistOn(sandbox)('diff', closure);
      expect(diff).toContain(
        '--- a/etc/passwd\n+++ b/etc/passwd\n@@ -1,3 +1,4 @@\n root:x:0:0:root:/root:/bin/bash\n # people\n alice:x:1000:1000:Alice:/home/alice:/bin/bash\n+www:x:33:33:Web server:/var/www:/usr/sbin/nologin\n',
      );
      expect(diff).toContain('-adm:x:4:alice\n+adm:x:4:alice,www\n');
      expect(diff).toContain('# /etc/shadow: content withheld: not everyone may read it');
      expect(diff).not.toMatch(/\$6\$|\$y\$|!\*/u);
      expect(await insistOn(sandbox)('switch', '--dry-run', closure)).toBe(diff);
      expect(compareSnapshots(before, takeSnapshot(sandbox.root, { inodes: true }), { times: true })).toEqual([]);
    });
  });

  test('has it as JSON', async () => {
    await withUsers(async (sandbox) => {
      const said = await insistOn(sandbox)('--json', 'diff', writeClosure(sandbox, 'a', www));
      const { changes } = JSON.parse(said) as { changes: { path: string; status: string }[] };
      expect(changes.map(({ status, path }) => `${status} ${path}`)).toEqual([
        'M /etc/group',
        'M /etc/gshadow',
        'A /etc/motd',
        'M /etc/passwd',
        'M /etc/shadow',
        'A /etc/sysusers.d',
        'A /etc/sysusers.d/web.conf',
      ]);
    });
  });

  test('shows what has to be added again to a machine that lost users', async () => {
    await withUsers(async (sandbox) => {
      const activate = insistOn(sandbox);
      await activate('switch', writeClosure(sandbox, 'a', www));
      expect(await activate('diff')).toBe('');
      writeAccounts(sandbox);
      expect(await activate('diff', '--name-status')).toBe(
        'M\t/etc/group\nM\t/etc/gshadow\nM\t/etc/passwd\nM\t/etc/shadow\n',
      );
    });
  });
});

describe('switch', () => {
  test('names both sides of each contradiction: 3', async () => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'etc/sysusers.d/a.conf': 'u alice 44\n',
        'usr/lib/sysusers.d/b.conf': '\n# groups\ng web 4\n',
      });
      const { status, stdout, stderr } = await activateOn(sandbox)('switch', closure);
      expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
      expect(stderr).toBe(`activate: 2 conflicts; nothing was changed:
  /etc/passwd: the closure wants user alice with id 44 (etc/sysusers.d/a.conf:1), and the machine has user alice with id 1000
  /etc/group: the closure wants group web with id 4 (usr/lib/sysusers.d/b.conf:3), and the machine has group adm with that id
Users, groups and their ids are never changed: change the line of the closure, or the machine, first.
`);
      expect(readAccounts(sandbox)).toEqual(lived);
      const json = await activateOn(sandbox)('--json', 'switch', closure, '--on-conflict', 'backup');
      const { conflicts } = JSON.parse(json.stdout) as { conflicts: object[] };
      expect([json.status, conflicts[0]]).toEqual([
        3,
        {
          path: '/etc/passwd',
          reason: 'contradicted',
          wanted: 'user alice with id 44 (etc/sysusers.d/a.conf:1)',
          there: 'user alice with id 1000',
          message:
            'the closure wants user alice with id 44 (etc/sysusers.d/a.conf:1), and the machine has user alice with id 1000',
        },
      ]);
    });
  });

  test.each([
    ['a line that is none', 'u www 33\nwhat\n', 'etc/sysusers.d/a.conf:2: there is no line of type "what"'],
    [
      'two users with one id',
      'u a 33\nu b 33\n',
      'etc/sysusers.d/a.conf:2: systemd-sysusers cannot do this: user b would have id 999 (Suggested user ID 33 for b already used.)',
    ],
    [
      'a group that is not there',
      'u a 33:44\n',
      'etc/sysusers.d/a.conf:1: systemd-sysusers cannot do this: user a would not be there (Failed to create a: please create GID 44)',
    ],
  ])('refuses %s: 65', async (_, lines, message) => {
    await withUsers(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/sysusers.d/a.conf': lines });
      const { status, stderr } = await activateOn(sandbox)('switch', closure);
      expect([status, stderr.split('\n')[0]]).toEqual([65, `activate: ${message}`]);
      expect(readAccounts(sandbox)).toEqual(lived);
    });
  });

  test('resolves the owners in rules against users that are about to be made', async () => {
    await withUsers(async (sandbox) => {
      const policy = 'schema = 1\n[[path]]\nmatch = "/etc/motd"\nowner = "www"\ngroup = "www"\n';
      const closure = writeClosure(sandbox, 'a', { ...www, 'activation.toml': policy });
      await insistOn(sandbox)('switch', closure);
      const { uid, gid } = statSync(sandbox.on('/etc/motd'));
      expect([uid, gid]).toEqual([33, 33]);
    });
  });

  test('says of `boot` that it makes no users', async () => {
    await withUsers(async (sandbox) => {
      const warnings: string[] = [];
      const log = { debug: ignore, info: ignore, warn: (text: string) => void warnings.push(text), error: ignore };
      const { status } = await runActivate(['--root', sandbox.root, 'boot', writeClosure(sandbox, 'a', www)], { log });
      expect([status, warnings.filter((text) => text.includes('users'))]).toEqual([
        0,
        ['users and groups are made by a switch, not by a boot: those that are new are not there then'],
      ]);
      expect(readAccounts(sandbox)).toEqual(lived);
    });
  });
});

const ignore = (): void => undefined;

describe('generate', () => {
  const fixed: Contents = {
    'etc/sysusers.d/a.conf': 'u root 0\ng shadow 42\nu www 33 "Web server" /var/www\nm www shadow\n',
  };

  test('makes users of lines that fix each id, the same every time', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', fixed);
      const activate = insistOn(sandbox);
      for (const output of ['one', 'two']) await activate('generate', closure, '--output', output, '--location', '/b');
      const [one, two] = ['one', 'two'].map((name) => takeSnapshot(sandbox.on(`/${name}`)));
      expect(compareSnapshots(one ?? [], two ?? [], { times: false })).toEqual([]);
      const file = (name: string): string => readFileSync(sandbox.on(`/one/overlay/etc/${name}`), 'utf8');
      expect(file('passwd')).toBe('root:x:0:0::/:/bin/sh\nwww:x:33:33:Web server:/var/www:/usr/sbin/nologin\n');
      expect(file('shadow')).toBe('root:!*:1::::::\nwww:!*:1::::::\n');
      const { mode, gid } = statSync(sandbox.on('/one/overlay/etc/shadow'));
      expect([mode & 0o7777, gid]).toEqual([0o640, 42]);
      const entries = readFileSync(sandbox.on('/one/manifest.json'), 'utf8').split('\n');
      expect(
        entries.filter((line) => line.includes('"place":"seed"')).map((line) => /"path":"([^"]+)"/u.exec(line)?.[1]),
      ).toEqual(['/etc/group', '/etc/gshadow', '/etc/passwd', '/etc/shadow']);
      expect(entries.find((line) => line.includes('/etc/shadow'))).toContain('"digest":""');
    });
  });

  test('adds them to what the closure has', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'etc/passwd': 'root:x:0:0:built:/root:/bin/bash\n',
        'etc/shadow': { file: 'root:$6$built:19000::::::\n', mode: 0o600 },
        'etc/sysusers.d/a.conf': 'u root -\nu www 33\n',
      });
      await insistOn(sandbox)('generate', closure, '--output', 'bundle');
      const shadow = sandbox.on('/bundle/overlay/etc/shadow');
      expect(readFileSync(sandbox.on('/bundle/overlay/etc/passwd'), 'utf8')).toBe(
        'root:x:0:0:built:/root:/bin/bash\nwww:x:33:33::/:/usr/sbin/nologin\n',
      );
      expect([readFileSync(shadow, 'utf8'), statSync(shadow).mode & 0o7777]).toEqual([
        'root:$6$built:19000::::::\nwww:!*:1::::::\n',
        0o600,
      ]);
    });
  });

  test('says which lines leave an id to the machine, and makes no users then', async () => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', {
        'etc/sysusers.d/a.conf': 'u www 33\n\nu dynamic -\n',
        'lib/sysusers.d/b.conf': 'g web\nm www adm\n',
      });
      const warnings: string[] = [];
      const log = { debug: ignore, info: ignore, warn: (text: string) => void warnings.push(text), error: ignore };
      const output = sandbox.on('/bundle');
      const { status } = await runActivate(['--root', sandbox.root, 'generate', closure, '--output', output], { log });
      expect([status, warnings]).toEqual([
        0,
        [
          'the bundle has no users: these lines leave an id to the machine: etc/sysusers.d/a.conf:3: user dynamic has no id; lib/sysusers.d/b.conf:1: group web has no id; lib/sysusers.d/b.conf:2: no line gives group adm an id',
        ],
      ]);
      expect(readdirSync(`${output}/overlay/etc`)).toEqual(['sysusers.d']);
      expect(existsSync(`${output}/sysusers.conf`)).toBe(true);
    });
  });
});

/** Runs `activate` as somebody who owns nothing. */
function runAsNobody(sandbox: Sandbox, ...args: readonly string[]): { stdout: string; stderr: string } {
  const main = new URL('../../src/main.ts', import.meta.url).pathname;
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', 'HOME=/tmp'];
  const ended = Bun.spawnSync([...nobody, process.execPath, main, '--root', sandbox.root, ...args], {
    cwd: sandbox.root,
  });
  return { stdout: ended.stdout.toString(), stderr: ended.stderr.toString() };
}

test("who is not root makes a bundle whose users are root's on the machine that shows it", async () => {
  await withSandbox((sandbox) => {
    const closure = writeClosure(sandbox, 'a', { 'etc/sysusers.d/a.conf': 'u www 33\ng shadow 42\n' });
    mkdirSync(sandbox.on('/bundle'));
    chownSync(sandbox.on('/bundle'), 65_534, 65_534);
    expect(runAsNobody(sandbox, 'generate', closure, '--output', 'bundle', '--location', '/b').stderr).toBe('');
    const snippet = readFileSync(sandbox.on('/bundle/tmpfiles.d/activate.conf'), 'utf8');
    expect(snippet).toContain('C /etc/passwd 0644 0 0 - /b/overlay/etc/passwd\n');
    expect(snippet).toContain('C /etc/shadow 0640 0 42 - /b/overlay/etc/shadow\n');
  });
});

test('who may not read passwords sees the rest', async () => {
  await withUsers(async (sandbox) => {
    const closure = writeClosure(sandbox, 'a', www);
    for (const name of ['passwd', 'group']) chmodSync(sandbox.on(`/etc/${name}`), 0o644);
    const { stdout, stderr } = runAsNobody(sandbox, 'diff', closure);
    expect(stdout).toContain('+www:x:33:33:Web server:/var/www:/usr/sbin/nologin\n');
    expect(stdout).not.toContain('etc/shadow');
    expect(stderr).toContain('not read: /etc/shadow: no permission to read it\n');
  });
});
