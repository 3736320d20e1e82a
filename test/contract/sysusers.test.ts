import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const isMissing = Bun.which('systemd-sysusers') === null;
if (isMissing) console.warn('systemd-sysusers is not installed: its contract is not tested.');
const contract = describe.skipIf(isMissing && process.env['CI'] === undefined);
const rootTest = test.skipIf(process.geteuid?.() !== 0 && process.env['CI'] === undefined);

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'activate-sysusers-'));
  mkdirSync(join(root, 'etc'));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, 'etc', name), text, { mode: 0o600 });
}

function read(name: string): string {
  return readFileSync(join(root, 'etc', name), 'utf8');
}

interface Outcome {
  readonly status: number | null;
  readonly stderr: string;
}

/** Lets systemd-sysusers carry out lines as `activate` does. */
function run(lines: string, env: Readonly<Record<string, string>> = {}, wrapper: readonly string[] = []): Outcome {
  const conf = join(root, 'x.conf');
  writeFileSync(conf, lines);
  chmodSync(conf, 0o644);
  const [program, ...args] = [...wrapper, 'systemd-sysusers', `--root=${root}`, conf];
  const { CREDENTIALS_DIRECTORY: _, ...own } = process.env;
  const ended = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...own, LC_ALL: 'C', SOURCE_DATE_EPOCH: '86400', ...env },
  });
  return { status: ended.status, stderr: ended.stderr.replaceAll(root, 'ROOT') };
}

contract('systemd-sysusers', () => {
  test('makes the four files from nothing, passwords locked', () => {
    expect(run('u root 0 "Super" /root\nu www 33\n').status).toBe(0);
    expect(read('passwd')).toBe('root:x:0:0:Super:/root:/bin/sh\nwww:x:33:33::/:/usr/sbin/nologin\n');
    expect(read('group')).toBe('root:x:0:\nwww:x:33:\n');
    expect(read('shadow')).toBe('root:!*:1::::::\nwww:!*:1::::::\n');
    expect(read('gshadow')).toBe('root:!*::\nwww:!*::\n');
    expect(statSync(join(root, 'etc/shadow')).mode & 0o7777).toBe(0);
  });

  test.each([
    ['0', '0'],
    ['86399', '0'],
    ['86400', '1'],
    ['1767225600', '20454'],
  ])('with SOURCE_DATE_EPOCH=%s passwords are of day %s', (epoch, day) => {
    run('u www 33\n', { SOURCE_DATE_EPOCH: epoch });
    expect(read('shadow')).toBe(`www:!*:${day}::::::\n`);
  });

  test('drops comments and lines that it does not understand, and keeps NIS at the end', () => {
    write({ passwd: 'root:x:0:0:::\n# people\n\n?\n+::::::\n', group: '# x\nroot:x:0:\n+:::\n' });
    run('u www 33\n');
    expect(read('passwd')).toBe('root:x:0:0:::\nwww:x:33:33::/:/usr/sbin/nologin\n+::::::\n');
    expect(read('group')).toBe('root:x:0:\nwww:x:33:\n+:::\n');
  });

  test('keeps the password of a user whom passwd lacks, and renews its date', () => {
    write({ passwd: '', group: '', shadow: 'www:$6$old:19000:0:99999:7:::\nalice:$6$x:19000::::::\n' });
    run('u www 33\n');
    expect(read('shadow')).toBe('www:$6$old:1:0:99999:7:::\nalice:$6$x:19000::::::\n');
  });

  test('adds members to groups that are there, and sorts them', () => {
    write({ passwd: 'alice:x:7:7:::\n', group: 'adm:x:4:bob\nalice:x:7:\n', gshadow: 'adm:*:boss:bob\n' });
    run('m alice adm\n');
    expect([read('group'), read('gshadow')]).toEqual(['adm:x:4:alice,bob\nalice:x:7:\n', 'adm:*:boss:alice,bob\n']);
  });

  test.each(['u sync 4\n', 'm sync adm\n'])(
    'with %j gives a user who is there a group of that name, unasked',
    (line) => {
      write({ passwd: 'sync:x:4:65534:::\n', group: 'adm:x:5:\n' });
      run(line);
      expect(read('group')).toMatch(/^sync:x:\d+:$/mu);
    },
  );

  test('leaves backups and a lock file behind', () => {
    write({ passwd: 'root:x:0:0:::\n', group: 'root:x:0:\n' });
    run('u www 33\n');
    expect(readdirSync(join(root, 'etc')).toSorted()).toEqual(
      ['.pwd.lock', 'group', 'group-', 'gshadow', 'passwd', 'passwd-', 'shadow'].toSorted(),
    );
  });

  test('keeps mode and owner of files that are there', () => {
    write({ passwd: '', group: '', shadow: '', gshadow: '' });
    run('u www 33\n');
    expect(['passwd', 'shadow'].map((name) => statSync(join(root, 'etc', name)).mode & 0o7777)).toEqual([0o600, 0o600]);
  });

  test.each([
    ['an id that somebody has', 'u a 33\n', 'passwd: a:x:\\d{3}:', 'Suggested user ID 33 for a already used.'],
    ['an id that a group has', 'u a 44\n', 'passwd: a:x:\\d{3}:', 'Suggested user ID 44 for a already used.'],
    ['a group id that a group has', 'g a 33\n', 'group: a:x:\\d{3}:', 'Suggested group ID 33 for a already used.'],
    ['two ids for one user', 'u a 50\nu a 51\n', 'passwd: a:x:50:50:', 'Conflict with earlier configuration'],
  ])('takes %s for a suggestion, and says 0', (_, lines, expected, message) => {
    write({ passwd: 'www:x:33:33:::\n', group: 'www:x:33:\nweb:x:44:\n' });
    const { status, stderr } = run(lines);
    const [file = '', line = ''] = expected.split(': ');
    expect([status, stderr.includes(message), new RegExp(`^${line}`, 'mu').test(read(file))]).toEqual([0, true, true]);
  });

  test.each([
    ['u a 50:51\n', 'please create GID 51'],
    ['u a 50:nowhere\n', 'Group nowhere not found.'],
  ])('leaves out %j, whose group is missing, and says 0', (lines, message) => {
    write({ passwd: '', group: '' });
    const { status, stderr } = run(lines);
    expect([status, stderr.includes(message), read('passwd')]).toEqual([0, true, '']);
  });

  test('leaves a user of another id, group, home and shell as it is, and says 0', () => {
    const passwd = 'www:x:1001:1001:Own:/home/www:/bin/bash\n';
    write({ passwd, group: 'www:x:1001:\n' });
    expect([run('u www 33:33 "Web" /var/www /bin/sh\n'), read('passwd')]).toEqual([{ status: 0, stderr: '' }, passwd]);
  });

  test('does nothing of a file with a line that it does not know: 1', () => {
    const { status, stderr } = run('u www 33\nx y 1\n');
    expect([status, stderr]).toEqual([1, "ROOT/x.conf:2: Unknown command type 'x'.\n"]);
    expect(readdirSync(join(root, 'etc'))).toEqual([]);
  });

  test('takes passwords and shells from credentials, which is why there must be none', () => {
    const credentials = join(root, 'credentials');
    mkdirSync(credentials);
    writeFileSync(join(credentials, 'passwd.hashed-password.www'), '$6$leaked');
    writeFileSync(join(credentials, 'passwd.shell.www'), '/bin/leaked');
    run('u www 33\n', { CREDENTIALS_DIRECTORY: credentials });
    expect([read('shadow'), read('passwd')]).toEqual(['www:$6$leaked:1::::::\n', 'www:x:33:33::/:/bin/leaked\n']);
  });

  rootTest('needs no root for a directory of its own', () => {
    for (const path of [root, join(root, 'etc')]) {
      chmodSync(path, 0o755);
      chownSync(path, 65_534, 65_534);
    }
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    expect([run('u www 33\n', {}, nobody).status, read('group')]).toEqual([0, 'www:x:33:\n']);
  });

  rootTest('takes the id of who owns a path below the root, where that is in the range', () => {
    for (const [name, id] of [
      ['in', 310],
      ['out', 7],
    ] as const) {
      writeFileSync(join(root, name), '');
      chownSync(join(root, name), id, id);
    }
    run('r - 300-320\nu a /in\nu b /out\nu c /missing\n');
    const ids = new Map(
      read('passwd')
        .split('\n')
        .map((line) => [line.split(':')[0], line.split(':')[2]]),
    );
    expect([ids.get('a'), ids.get('b'), ids.get('c')]).toEqual(['310', '320', '319']);
  });
});
