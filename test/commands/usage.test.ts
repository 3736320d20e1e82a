import { describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { activateOn, runActivate } from '../support/cli';
import { writeClosure } from '../support/closures';
import { withSandbox } from '../support/sandbox';
import { takeSnapshot } from '../support/snapshot';

const commands = ['generate', 'diff', 'switch', 'test', 'boot', 'rollback', 'resume', 'status', 'list', 'gc'];

describe('help', () => {
  test.each(commands)('of %s goes to stdout, and describes the options that every command has', async (command) => {
    const { status, stdout, stderr } = await runActivate([command, '--help']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toStartWith(`Usage: activate ${command} `);
    for (const option of ['--root', '--json', '--log-level', '--help']) expect(stdout).toContain(option);
    expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
  });

  test('of the program names every command and the exit statuses', async () => {
    const { status, stdout } = await runActivate(['--help']);
    expect(status).toBe(0);
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'));
    expect(stdout).toContain('Exit status: 0 done');
  });

  test('of a command is the same by `help`', async () => {
    expect(await runActivate(['help', 'gc'])).toEqual(await runActivate(['gc', '--help']));
  });

  test('is what no arguments at all lead to, as an error', async () => {
    const { status, stdout, stderr } = await runActivate([]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toStartWith('Usage: activate ');
  });

  test('does not hide the version', async () => {
    expect(await runActivate(['--version'])).toEqual({ status: 0, stdout: 'test\n', stderr: '' });
  });
});

/** What the first line says, and where to look; nothing more. */
async function complaint(...argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runActivate(argv);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  const lines = stderr.trimEnd().split('\n');
  expect(lines.at(-1)).toMatch(/^See `activate (?:\w+ )?--help`\.$/u);
  return lines.slice(0, -1).join('\n');
}

describe('a wrong command line', () => {
  test.each<[string, string[], string]>([
    ['an unknown command', ['swtich'], "activate: unknown command 'swtich'\n(Did you mean switch?)"],
    ['an unknown option', ['diff', '--sta'], "activate: unknown option '--sta'\n(Did you mean --stat?)"],
    ['an unknown option before', ['--rot', 'list'], "activate: unknown option '--rot'\n(Did you mean --root?)"],
    ['a missing argument', ['switch'], "activate: missing required argument 'closure|generation'"],
    [
      'too many arguments',
      ['diff', 'a', 'b', 'c'],
      "activate: too many arguments for 'diff'. Expected 2 arguments but got 3",
    ],
    ['a missing option', ['generate', 'x'], "activate: required option '--output <directory>' not specified"],
    ['an option without its value', ['list', '--root'], "activate: option '--root <directory>' argument missing"],
    [
      'a format that is none',
      ['diff', 'x', '--format', 'zip'],
      "activate: option '--format <format>' argument 'zip' is invalid. Allowed choices are nixos, guix, tree, bundle, image.",
    ],
    [
      'a policy that is none',
      ['switch', 'x', '--on-conflict', 'merge'],
      "activate: option '--on-conflict <action>' argument 'merge' is invalid. Allowed choices are refuse, backup, keep.",
    ],
    [
      'no number',
      ['gc', '--keep', '-1'],
      "activate: option '--keep <number>' argument '-1' is invalid. It is not a number.",
    ],
    [
      'no age',
      ['gc', '--older-than', 'soon'],
      "activate: option '--older-than <age>' argument 'soon' is invalid. It is not an age such as 30d, 12h or 2w.",
    ],
    ['no generation', ['rollback', 'one'], 'It is not a number.'],
    ['both summaries', ['diff', '--stat', '--name-status'], "activate: option '--stat' cannot be used with option"],
  ])('%s is named, with a way out', async (_, argv, expected) => {
    expect(await complaint(...argv)).toContain(expected);
  });

  test('is one JSON document where one was asked for', async () => {
    const { status, stdout } = await runActivate(['--json', 'swtich']);
    expect(status).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      error: {
        code: 'USAGE',
        status: 2,
        message: "unknown command 'swtich'\n(Did you mean switch?)",
        hint: 'See `activate --help`.',
      },
    });
  });

  test('gc has to be told what may go', async () => {
    await withSandbox(async (sandbox) => {
      const before = takeSnapshot(sandbox.root);
      expect(await activateOn(sandbox)('gc')).toEqual({
        status: 2,
        stdout: '',
        stderr: 'activate: gc wants to know what may go\nSay --keep NUMBER, --older-than AGE, or both.\n',
      });
      expect(takeSnapshot(sandbox.root)).toEqual(before);
    });
  });
});

describe('a root', () => {
  test.each<[string, string]>([
    ['that is not there', 'nowhere'],
    ['that is a file', 'file'],
    ['that is a pattern', 'a[1]'],
    ['with a star', '*'],
    ['with braces', '{a}'],
    ['with a backslash', 'a\\b'],
  ])('%s is refused', async (_, name) => {
    await withSandbox(async (sandbox) => {
      const closure = writeClosure(sandbox, 'a', { 'etc/motd': 'x\n' });
      writeFileSync(sandbox.on('/file'), '');
      for (const each of ['a[1]', '*', '{a}', 'a\\b']) mkdirSync(sandbox.on(each));
      const before = takeSnapshot(sandbox.root);
      const root = sandbox.on(name);
      const { status, stdout, stderr } = await runActivate(['--root', root, 'switch', closure]);
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr).toContain(name.replace('\\', '\\\\'));
      expect(stderr.trimEnd().split('\n')).toHaveLength(2);
      expect(takeSnapshot(sandbox.root)).toEqual(before);
    });
  });

  test('may be named before or after the command', async () => {
    await withSandbox(async ({ root }) => {
      expect(await runActivate(['--root', root, 'list'])).toEqual(await runActivate(['list', '--root', root]));
    });
  });
});
