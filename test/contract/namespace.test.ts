import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Namespace, openNamespace, runInNamespace } from '../support/namespace';
import { withSandbox } from '../support/sandbox';

describe('a namespace', () => {
  let namespace: Namespace;
  beforeAll(async () => {
    namespace = await openNamespace();
  });
  afterAll(async () => namespace.close());

  test('has an /etc of its own, which is an ordinary directory outside', async () => {
    const before = readdirSync('/etc');
    const finished = await namespace.run(['sh', '-c', 'echo mine >/etc/activate-test; id -un; cat /etc/hostname']);
    expect(finished).toEqual({ status: 0, stdout: 'root\ntest\n', stderr: '' });
    expect(readFileSync(namespace.on('/etc/activate-test'), 'utf8')).toBe('mine\n');
    expect(readdirSync('/etc')).toEqual(before);
  });

  test.each(['/run', '/var/lib/activate', '/nix'])('has a %s of its own, empty', async (directory) => {
    expect(readdirSync(namespace.on(directory))).toEqual([]);
    await namespace.run(['touch', `${directory}/activate-test`]);
    expect(readdirSync(namespace.on(directory))).toEqual(['activate-test']);
    expect(() => lstatSync(`${directory}/activate-test`)).toThrow('ENOENT');
  });

  test("has the machine's programs, the real systemd-tmpfiles among them", async () => {
    writeFileSync(namespace.on('/etc/snippet.conf'), 'L+ /etc/link - - - - target\n');
    const finished = await namespace.run(['systemd-tmpfiles', '--create', '/etc/snippet.conf']);
    expect(finished).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(lstatSync(namespace.on('/etc/link')).isSymbolicLink()).toBe(true);
  });

  test('reports status, output and errors apart, and hands input and environment on', async () => {
    const script = 'cat; echo "$WORD $PWD" >&2; exit 7';
    const options = { input: 'in', environment: { WORD: 'out' }, workingDirectory: '/etc' };
    expect(await namespace.run(['sh', '-c', script], options)).toEqual({
      status: 7,
      stdout: 'in',
      stderr: 'out /etc\n',
    });
  });

  test('runs programs as another user', async () => {
    expect((await namespace.run(['id', '-un'], { user: 'nobody' })).stdout).toBe('nobody\n');
  });

  test('runs programs that are killed by their own process id', async () => {
    const started = namespace.start(['sleep', '1000']);
    while (!readFileSync(`/proc/${started.pid}/cmdline`, 'utf8').startsWith('sleep')) await Bun.sleep(1);
    started.kill('SIGKILL');
    expect((await started.finished).status).toBe(137);
  });
});

test('a namespace begins with the /etc that it is given', async () => {
  await withSandbox(async ({ root, on }) => {
    mkdirSync(on('/etc/deep'));
    writeFileSync(on('/etc/deep/file'), 'given');
    const finished = await runInNamespace('cat /etc/deep/file; mountpoint -q /etc', {
      etc: join(root, 'etc'),
      mounts: ['/etc'],
    });
    expect(finished).toEqual({ status: 0, stdout: 'given', stderr: '' });
  });
});

test('a closed namespace leaves nothing behind, not even what is immutable', async () => {
  const namespace = await openNamespace();
  const { status } = await namespace.run(['sh', '-c', 'echo x >/var/lib/activate/x; chattr +i /var/lib/activate/x']);
  expect(status).toBe(0);
  namespace.start(['sleep', '1000']);
  await namespace.close();
  expect(() => lstatSync(namespace.root)).toThrow('ENOENT');
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(namespace.root);
});
