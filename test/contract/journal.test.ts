import { afterAll, beforeAll, expect, test } from 'bun:test';
import { rmSync } from 'node:fs';
import { writeClosure } from '../support/closures';
import { openMachine, type TestMachine } from '../support/machine';

// The journal of systemd itself runs on the machine.

let machine: TestMachine;
beforeAll(async () => {
  machine = await openMachine();
  await machine.shell('mkdir -p /run/systemd/journal /run/log/journal');
  machine.start(['/lib/systemd/systemd-journald']);
  await machine.shell('for _ in $(seq 100); do [ -S /run/systemd/journal/socket ] && exit; sleep 0.1; done; exit 1');
});
afterAll(async () => machine.close());

type Entry = Readonly<Record<string, string>>;

/** What the journal has of activate, oldest first, once there are so many. */
async function entries(count: number): Promise<Entry[]> {
  const script = `for _ in $(seq 100); do
      journalctl --directory=/run/log/journal --output=json --no-pager SYSLOG_IDENTIFIER=activate _TRANSPORT=journal >/var/entries
      [ "$(wc -l </var/entries)" -ge ${count} ] && break; sleep 0.1
    done; cat /var/entries`;
  const lines = (await machine.shell(script)).trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Entry);
}

test('each transition leaves one entry that says what changed /etc, from what to what', async () => {
  const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
  writeClosure(sandbox, 'one', { 'etc/motd': 'a secret\n' });
  writeClosure(sandbox, 'two', { 'etc/motd': 'another secret\n', 'etc/new': '' });
  await machine.activate('switch', '/closures/one');
  await machine.activate('switch', '/closures/one');
  await machine.activate('switch', '/closures/two', '--dry-run');
  await machine.activate('boot', '/closures/two');
  await machine.activate('switch', '2');
  await machine.activate('rollback', '0');
  await machine.shell('mkdir /run/filesystem-overlay');
  expect((await machine.attempt(['switch', '/closures/one'])).status).toBe(3);
  rmSync(machine.on('/run/filesystem-overlay'), { recursive: true });
  const found = await entries(4);
  expect(found.map(({ MESSAGE }) => MESSAGE)).toEqual([
    '/etc went from generation 0 to 1 (/closures/one): 1 path changed',
    'the next boot shows generation 2 (/closures/two); generation 1 stays live',
    '/etc went from generation 1 to 2 (/closures/two): 2 paths changed',
    '/etc went from generation 2 to 0: 2 paths changed',
  ]);
  expect(found[2]).toMatchObject({
    ACTIVATE_OUTCOME: 'switched',
    ACTIVATE_FROM: '1',
    ACTIVATE_TO: '2',
    ACTIVATE_CLOSURE: '/closures/two',
    ACTIVATE_CHANGED: '2',
    ACTIVATE_BACKUPS: '0',
    PRIORITY: '5',
  });
  expect(new Set(found.map((entry) => entry['MESSAGE_ID'])).size).toBe(1);
  expect(JSON.stringify(found)).not.toContain('secret');
});

test('messages that the journal reads are entries with fields', async () => {
  const before = (await entries(1)).length;
  await machine.shell(`exec 2>/var/messages
    export JOURNAL_STREAM=$(stat --format=%d:%i /var/messages)
    activate test /closures/two`);
  const found = (await entries(before + 2)).slice(before);
  expect(found.map(({ MESSAGE, PRIORITY }) => `${PRIORITY} ${MESSAGE}`)).toEqual([
    expect.stringMatching(/^4 the next boot shows generation /u) as string,
    expect.stringMatching(/^5 \/etc went from generation /u) as string,
  ]);
  expect(await machine.shell('cat /var/messages')).toBe('');
});

test('what watch sees is an entry with the path, what became of it and the generation', async () => {
  await machine.activate('switch', '/closures/two');
  const before = (await entries(1)).length;
  const found = await (async () => {
    const watching = machine.start([
      'bash',
      '-c',
      `exec 2>/var/watched
      export JOURNAL_STREAM=$(stat --format=%d:%i /var/watched); exec activate watch`,
    ]);
    try {
      await entries(before + 1);
      await machine.shell('rm /etc/motd');
      return await entries(before + 2);
    } finally {
      watching.kill('SIGTERM');
      await watching.finished;
    }
  })();
  expect(found.slice(before + 1)[0]).toMatchObject({
    ACTIVATE_PATH: '/etc/motd',
    ACTIVATE_WHAT: 'it is gone',
    ACTIVATE_GENERATION: expect.stringMatching(/^\d+$/u) as string,
    PRIORITY: '4',
  });
  await machine.activate('verify', '--repair');
});

test('messages that the journal does not take as entries have their priority in front', async () => {
  const script = `exec 2>/var/messages
    export JOURNAL_STREAM=$(stat --format=%d:%i /var/messages)
    activate switch /closures/none || :
    mv /run/systemd/journal/socket /run/socket; activate test /closures/one; mv /run/socket /run/systemd/journal/socket; activate --log-format json test 2
    activate --log-level debug boot 0 || :; cat /var/messages`;
  const lines = (await machine.shell(script)).split('\n').filter((line) => line.includes('<'));
  expect(lines[0]).toBe('<3>activate: /closures/none: there is no such closure');
  expect(lines[1]).toMatch(/^<3>Name /u);
  expect(lines.some((line) => line.startsWith('<4>activate: warning: the next boot shows'))).toBe(true);
  const json = lines.find((line) => line.startsWith('<4>{'));
  expect(JSON.parse(json?.slice(3) ?? '')).toMatchObject({
    level: 'warn',
    time: expect.stringMatching(/Z$/u) as string,
  });
});

test('elsewhere messages have none, and --quiet leaves errors alone', async () => {
  const { stdout, stderr } = await machine.attempt(['switch', '/closures/none'], {
    environment: { JOURNAL_STREAM: '1:1' },
  });
  expect({ stdout, stderr: stderr.split('\n')[0] }).toEqual({
    stdout: '',
    stderr: 'activate: /closures/none: there is no such closure',
  });
  expect(await machine.attempt(['--quiet', 'test', '/closures/one'])).toEqual({ status: 0, stdout: '', stderr: '' });
  expect((await machine.attempt(['--quiet', 'switch', 'none'])).stderr).toContain('there is no such closure');
});

test('colours are for terminals, unless somebody asks for them', async () => {
  await machine.activate('rollback', '0');
  expect(await machine.activate('diff', '/closures/one')).not.toContain('\u001b[');
  expect(await machine.activate('diff', '/closures/one', '--color', 'always')).toContain('\u001b[');
});
