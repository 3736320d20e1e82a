import { expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { testFor } from '../support/overlay';
import { type Sandbox, withSandbox } from '../support/sandbox';

const policy =
  'schema = 1\n[[path]]\nmatch = "/etc/whole/"\nplace = "link"\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n';
const TREE = '/var/lib/activate/generations/1/tree';

async function withGeneration(task: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  await withSandbox(async (sandbox) => {
    const closure = writeClosure(sandbox, 'one', {
      'etc/copy': 'copy\n',
      'etc/motd': 'motd\n',
      'etc/whole/inside': 'inside\n',
      'activation.toml': policy,
    });
    await insistOn(sandbox)('switch', closure);
    await task(sandbox);
  });
}

test('verify finds nothing wrong with what was just placed', async () => {
  await withGeneration(async (sandbox) => {
    expect(await activateOn(sandbox)('verify')).toEqual({
      status: 0,
      stdout: '4 paths of generation 1 as recorded.\n',
      stderr: '',
    });
  });
});

test('verify finds drift, and a pointer that is gone', async () => {
  await withGeneration(async (sandbox) => {
    writeFileSync(sandbox.on('/etc/copy'), 'COPY\n');
    rmSync(sandbox.on('/run/filesystem-overlay'));
    expect(await activateOn(sandbox)('verify')).toEqual({
      status: 1,
      stdout:
        '/run/filesystem-overlay: there is no pointer\n/etc/copy: it is not what was placed\n2 not as recorded, of 4 paths of generation 1.\n',
      stderr: '',
    });
  });
});

testFor(
  ['tree'],
  'nobody can write to the others',
  'a record that was changed where nothing protects it is found by its content',
  async () => {
    await withGeneration(async (sandbox) => {
      expect(spawnSync('chattr', ['-R', '-i', sandbox.on(TREE)]).status).toBe(0);
      expect(await insistOn(sandbox)('status')).toContain('Generation 1 is not protected');
      writeFileSync(sandbox.on(`${TREE}/etc/motd`), 'MOTD\n');
      writeFileSync(sandbox.on(`${TREE}/etc/whole/inside`), 'INSIDE\n');
      const { status, stdout } = await activateOn(sandbox)('verify', '--json');
      const { wrong } = JSON.parse(stdout) as { wrong: object[] };
      expect([status, wrong]).toEqual([
        1,
        [
          { path: '/etc/motd', what: 'the record of generation 1 was changed: its content is another' },
          { path: '/etc/whole', what: 'the record of generation 1 was changed: something in it is another' },
        ],
      ]);
    });
  },
);

test('verify of a machine where nothing is managed says so', async () => {
  await withSandbox(async (sandbox) => {
    expect(await activateOn(sandbox)('verify')).toEqual({ status: 0, stdout: 'Nothing is managed.\n', stderr: '' });
  });
});
