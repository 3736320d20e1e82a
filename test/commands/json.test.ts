import { describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { activateOn } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';

/** A machine on which generation 2 is live, `conflict` is refused, and `c` is new. */
async function prepare(sandbox: Sandbox): Promise<void> {
  const activate = activateOn(sandbox);
  writeContents(sandbox.root, { 'etc/own': 'own\n' });
  writeClosure(sandbox, 'conflict', { 'etc/own': 'ours\n' });
  for (const name of ['a', 'b', 'c']) writeClosure(sandbox, name, { 'etc/motd': `${name}\n` });
  await activate('switch', 'closures/a');
  await activate('switch', 'closures/b');
}

async function documentOf(sandbox: Sandbox, argv: readonly string[], status: number): Promise<Record<string, unknown>> {
  const ran = await activateOn(sandbox)(...argv, '--json');
  expect(ran.status).toBe(status);
  return JSON.parse(ran.stdout) as Record<string, unknown>;
}

describe('--json prints one document with a schema', () => {
  test.each<[string[], string[]]>([
    [
      ['generate', 'closures/c', '--output', 'bundle'],
      ['schema', 'output', 'paths', 'overlay', 'carrier'],
    ],
    [
      ['diff', 'closures/c'],
      ['schema', 'from', 'to', 'changes', 'conflicts', 'kept', 'unread', 'touched'],
    ],
    [['diff'], ['schema', 'from', 'to', 'changes', 'conflicts', 'kept', 'unread', 'touched']],
    [
      ['switch', 'closures/c', '--dry-run'],
      ['schema', 'from', 'to', 'changes', 'conflicts', 'kept', 'unread', 'touched'],
    ],
    [
      ['switch', 'closures/c'],
      [
        'schema',
        'state',
        'shown',
        'live',
        'default',
        'kept',
        'from',
        'to',
        'changed',
        'backups',
        'merged',
        'swapMs',
        'elapsedMs',
      ],
    ],
    [
      ['switch', '2'],
      ['schema', 'state', 'shown', 'live', 'default', 'kept', 'elapsedMs'],
    ],
    [
      ['test', 'closures/c'],
      [
        'schema',
        'state',
        'shown',
        'live',
        'default',
        'kept',
        'from',
        'to',
        'changed',
        'backups',
        'merged',
        'swapMs',
        'elapsedMs',
      ],
    ],
    [
      ['boot', 'closures/c'],
      [
        'schema',
        'state',
        'shown',
        'live',
        'default',
        'from',
        'to',
        'changed',
        'backups',
        'kept',
        'merged',
        'swapMs',
        'elapsedMs',
      ],
    ],
    [
      ['rollback', '0'],
      [
        'schema',
        'state',
        'shown',
        'live',
        'default',
        'kept',
        'from',
        'to',
        'changed',
        'backups',
        'merged',
        'swapMs',
        'elapsedMs',
      ],
    ],
    [['resume'], ['schema', 'state']],
    [['list'], ['schema', 'generations', 'live', 'default', 'booted']],
    [
      ['install', '--oneshot', '--dry-run'],
      ['schema', 'hook', 'why', 'state', 'files', 'next'],
    ],
    [
      ['install', '--oneshot'],
      ['schema', 'hook', 'why', 'state', 'files', 'next'],
    ],
    [['uninstall'], ['schema', 'hook', 'removed', 'left', 'next']],
    [
      ['gc', '--keep', '0'],
      ['schema', 'removed'],
    ],
    [
      ['status'],
      [
        'schema',
        'live',
        'default',
        'booted',
        'boot',
        'passesOver',
        'unsettled',
        'tries',
        'claims',
        'columns',
        'generations',
        'hook',
        'staleHookFiles',
        'staleInitrds',
        'interrupted',
        'pointer',
        'content',
        'managed',
        'drifted',
        'kept',
        'merged',
        'mounts',
        'protection',
        'reboot',
        'backups',
        'displaced',
        'unread',
      ],
    ],
  ])('where %j succeeds', async (argv, keys) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const document = await documentOf(sandbox, argv, 0);
      expect(Object.keys(document).toSorted()).toEqual(keys.toSorted());
      expect(document['schema']).toBe(1);
    });
  });

  test.each<[string[], number, string]>([
    [['generate', 'none', '--output', 'bundle'], 65, 'CLOSURE'],
    [['generate', 'closures/a', '--output', 'closures'], 2, 'USAGE'],
    [['generate', 'closures/a'], 2, 'USAGE'],
    [['diff', 'none'], 65, 'CLOSURE'],
    [['diff', '9'], 2, 'USAGE'],
    [['diff', '--stat', '--name-status'], 2, 'USAGE'],
    [['switch', 'none'], 65, 'CLOSURE'],
    [['switch', 'closures/a', '--policy', 'none'], 65, 'POLICY'],
    [['switch'], 2, 'USAGE'],
    [['test', '9'], 2, 'USAGE'],
    [['boot', '9'], 2, 'USAGE'],
    [['rollback', '9'], 2, 'USAGE'],
    [['rollback', 'x'], 2, 'USAGE'],
    [['gc'], 2, 'USAGE'],
    [['gc', '--keep', 'x'], 2, 'USAGE'],
    [['nonsense'], 2, 'USAGE'],
    [[], 2, 'USAGE'],
    [['help', 'nonsense'], 2, 'USAGE'],
  ])('where %j fails', async (argv, status, code) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const document = await documentOf(sandbox, argv, status);
      expect(document).toMatchObject({ schema: 1, error: { code, status, message: expect.any(String) as string } });
    });
  });

  test.each(['status', 'resume', 'gc --keep 0', 'diff'])('where %s finds damaged records', async (line) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const state = sandbox.on('/var/lib/activate');
      for (const record of ['transition.json', 'generations/1/generation.json', 'generations/2/generation.json'])
        writeFileSync(`${state}/${record}`, '');
      const document = await documentOf(sandbox, line.split(' '), 65);
      expect(document).toMatchObject({ schema: 1, error: { code: 'STATE', status: 65 } });
    });
  });

  test.each(['diff', 'switch', 'test', 'boot'])('where %s meets a conflict', async (verb) => {
    await withSandbox(async (sandbox) => {
      await prepare(sandbox);
      const document = await documentOf(sandbox, [verb, 'closures/conflict'], verb === 'diff' ? 0 : 3);
      expect(document).toMatchObject({
        schema: 1,
        conflicts: [
          {
            path: '/etc/own',
            reason: 'unmanaged',
            found: { kind: 'file', mode: '0644' },
            message: "a file of the machine's is there",
          },
        ],
      });
    });
  });

  test('and help is text all the same', async () => {
    await withSandbox(async (sandbox) => {
      expect((await activateOn(sandbox)('diff', '--help', '--json')).stdout).toStartWith('Usage: activate diff ');
    });
  });
});
