import { describe, expect, test } from 'bun:test';
import { ActivateError } from '../../src/core/errors';
import { requireProgram, runProgram, runProgramAtOnce } from '../../src/system/programs';

async function failureOf(running: Promise<unknown>): Promise<readonly (string | undefined)[]> {
  const error = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ActivateError)) throw error ?? new Error('this was expected to fail');
  return [error.code, error.message, error.path, error.hint];
}

function* failing(): Generator<Uint8Array> {
  yield Uint8Array.of(0x61);
  throw new ActivateError('IO', 'the disk is gone');
}

describe('runProgram', () => {
  test('gives status and output as they are, whatever the status', async () => {
    expect(await runProgram('sh', ['-c', 'echo out; echo err >&2; exit 3'])).toEqual({
      status: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('passes arguments as they are', async () => {
    const args = ['with space', '', "it's", '$HOME', '*', '%s', 'line\nbreak', 'ä'];
    const { stdout } = await runProgram('printf', ['%s\\0', ...args]);
    expect(stdout.split('\0').slice(0, -1)).toEqual(args);
  });

  test('refuses arguments that cannot be passed', async () => {
    expect(await failureOf(runProgram('true', ['/etc/\udcff']))).toEqual([
      'REFUSED',
      'cannot pass a name that is not UTF-8 to true',
      '/etc/\udcff',
      undefined,
    ]);
  });

  test('passes input in pieces, as many as there are', async () => {
    const input = Array.from({ length: 50 }, () => new Uint8Array(100_000)).values();
    expect((await runProgram('wc', ['-c'], { input })).stdout.trim()).toBe('5000000');
  });

  test('throws what the input throws, once the program has ended', async () => {
    expect(await failureOf(runProgram('cat', [], { input: failing() }))).toEqual([
      'IO',
      'the disk is gone',
      undefined,
      undefined,
    ]);
  });

  test('is not troubled by a program that reads nothing of its input', async () => {
    const input = [new Uint8Array(1_000_000), new Uint8Array(1_000_000)];
    expect((await runProgram('sh', ['-c', 'exit 7'], { input })).status).toBe(7);
  });

  test('passes input and output byte by byte', async () => {
    const input = Uint8Array.of(0x61, 0xff, 0x0a, 0xc3, 0xa4);
    expect((await runProgram('cat', [], { input })).stdout).toBe('a\udcff\nä');
    expect((await runProgram('cat', [], { input: 'ä\n' })).stdout).toBe('ä\n');
    expect((await runProgram('cat', [])).stdout).toBe('');
  });

  test('passes more than a pipe holds, and does not mind a program that does not read', async () => {
    const input = 'x'.repeat(5_000_000);
    expect((await runProgram('cat', [], { input })).stdout.length).toBe(input.length);
    expect((await runProgram('true', [], { input })).status).toBe(0);
  });

  test('speaks English, keeps credentials to itself, and takes variables', async () => {
    process.env['CREDENTIALS_DIRECTORY'] = '/run/credentials';
    process.env['ACTIVATE_TEST_LOST'] = 'x';
    const env = { ACTIVATE_TEST: 'with space', ACTIVATE_TEST_LOST: undefined };
    const script = 'echo "$LC_ALL|${CREDENTIALS_DIRECTORY-unset}|$ACTIVATE_TEST|${ACTIVATE_TEST_LOST-unset}|$PATH"';
    const { stdout } = await runProgram('sh', ['-c', script], { env });
    delete process.env['CREDENTIALS_DIRECTORY'];
    delete process.env['ACTIVATE_TEST_LOST'];
    expect(stdout).toBe(`C|unset|with space|unset|${process.env['PATH']}\n`);
  });

  test('runs in a session of its own, so that Ctrl-C does not reach it', async () => {
    // pid, process group and session are the fields 1, 5 and 6.
    const { stdout } = await runProgram('sh', ['-c', 'cut -d" " -f1,5,6 /proc/$$/stat']);
    const [pid, group, session] = stdout.trim().split(' ');
    expect([group, session]).toEqual([pid, pid]);
  });

  test('says which package a missing program is in', async () => {
    const env = { PATH: '/nonexistent' };
    expect(await failureOf(runProgram('systemd-tmpfiles', [], { env }))).toEqual([
      'REFUSED',
      'systemd-tmpfiles is not installed',
      undefined,
      'Install the Debian package systemd.',
    ]);
    expect(await failureOf(runProgram('no-such-program', []))).toEqual([
      'REFUSED',
      'no-such-program is not installed',
      undefined,
      undefined,
    ]);
    expect(() => requireProgram('no-such-program')).toThrow('no-such-program is not installed');
    expect(() => requireProgram('sh')).not.toThrow();
  });

  test('says so when a program is ended', async () => {
    expect((await failureOf(runProgram('sh', ['-c', 'kill -9 $$']))).slice(0, 2)).toEqual([
      'IO',
      'sh was ended by SIGKILL',
    ]);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    expect((await failureOf(runProgram('sleep', ['60'], { signal: controller.signal }))).slice(0, 2)).toEqual([
      'IO',
      'sleep was stopped',
    ]);
  });

  test('says so when a program may not be run', async () => {
    const [code, message] = await failureOf(runProgram('/dev/null', []));
    expect(code).toBe('IO');
    expect(message).toStartWith('cannot run /dev/null: ');
  });
});

describe('runProgramAtOnce', () => {
  test('gives status and output as they are, whatever the status', () => {
    const args = ['-c', 'printf "\\377 $WORD $LC_ALL"; echo err >&2; exit 3'];
    expect(runProgramAtOnce('sh', args, { WORD: 'ä' })).toEqual({ status: 3, stdout: '\udcff ä C', stderr: 'err\n' });
  });

  test('says which package has a program that is missing', () => {
    let error: unknown;
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      runProgramAtOnce('systemd-sysusers', []);
    } catch (caught) {
      error = caught;
    } finally {
      process.env['PATH'] = path;
    }
    const { code, message, hint } = error as ActivateError;
    expect([code, message, hint]).toEqual([
      'REFUSED',
      'systemd-sysusers is not installed',
      'Install the Debian package systemd.',
    ]);
  });

  test('gives no credentials to the program', () => {
    process.env['CREDENTIALS_DIRECTORY'] = '/run/credentials';
    try {
      expect(runProgramAtOnce('sh', ['-c', 'echo "<$CREDENTIALS_DIRECTORY>"']).stdout).toBe('<>\n');
    } finally {
      delete process.env['CREDENTIALS_DIRECTORY'];
    }
  });

  test('says which signal ended a program', () => {
    expect(() => runProgramAtOnce('sh', ['-c', 'kill -TERM $$'])).toThrow('sh was ended by SIGTERM');
  });
});
