import { expect, test } from 'bun:test';
import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure } from '../support/closures';
import { type Sandbox, withSandbox } from '../support/sandbox';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const policy = 'schema = 1\n[[path]]\nmatch = "/etc/copy"\nplace = "copy"\n';

function writeGeneration(sandbox: Sandbox, name: string, text: string): string {
  return writeClosure(sandbox, name, { 'etc/copy': text, 'etc/link': text, 'activation.toml': policy });
}

/** Generation 1 with both files edited: a change in the first line. */
async function edited(sandbox: Sandbox): Promise<void> {
  await insistOn(sandbox)('switch', writeGeneration(sandbox, 'one', '1\n2\n3\n'));
  rmSync(sandbox.on('/etc/link'));
  for (const path of ['/etc/copy', '/etc/link']) writeFileSync(sandbox.on(path), 'mine\n2\n3\n');
}

function contents(sandbox: Sandbox): string[] {
  return ['/etc/copy', '/etc/link'].map((path) => readFileSync(sandbox.on(path), 'utf8'));
}

test('changes are merged into the next generation, kept as backups, and given up again with it', async () => {
  await withSandbox(async (sandbox) => {
    const activate = insistOn(sandbox);
    await edited(sandbox);
    const two = writeGeneration(sandbox, 'two', '1\n2\nnew\n');
    const diff = await activate('diff', two, '--on-drift', 'merge');
    expect(diff).toContain('-3\n+new\n');
    expect(diff).not.toContain('mine\n+');
    const said = await activate('switch', two, '--on-drift', 'merge');
    expect(contents(sandbox)).toEqual(['mine\n2\nnew\n', 'mine\n2\nnew\n']);
    expect(said).toContain('/etc/copy had been changed; the change is merged, and what was there is backup 1.\n');
    expect(readFileSync(sandbox.on('/var/lib/activate/backups/1/content'), 'utf8')).toBe('mine\n2\n3\n');
    const status = await activate('status');
    expect(status).toContain('  merged: /etc/copy\n  merged: /etc/link\n');
    expect(status).toContain(' 0 drifted, ');
    // Without being asked again, what is merged goes on being merged.
    await activate('switch', writeGeneration(sandbox, 'three', '1\n2\nnewer\n'));
    expect(contents(sandbox)).toEqual(['mine\n2\nnewer\n', 'mine\n2\nnewer\n']);
    await activate('rollback', '1');
    expect(contents(sandbox)).toEqual(['mine\n2\n3\n', 'mine\n2\n3\n']);
    await activate('rollback', '0');
    expect(takeSnapshot(sandbox.on('/etc')).map(({ path }) => path)).toEqual(['/']);
  });
});

test('changes that do not merge are a conflict, and nothing is written', async () => {
  await withSandbox(async (sandbox) => {
    await edited(sandbox);
    const before = takeSnapshot(sandbox.root);
    const clash = writeGeneration(sandbox, 'clash', 'theirs\n2\n3\n');
    const closure = takeSnapshot(sandbox.root).length - before.length;
    expect(closure).toBeGreaterThan(0);
    const seen = takeSnapshot(sandbox.root);
    const { status, stderr } = await activateOn(sandbox)('switch', clash, '--on-drift', 'merge');
    expect([status, stderr.split('\n').slice(0, 3)]).toEqual([
      3,
      [
        'activate: 2 conflicts; nothing was changed:',
        '  /etc/copy: it was changed since it was placed: a file is there now; the new generation changes the same lines, from line 1 on',
        '  /etc/link: it was changed since it was placed: a file is there now; the new generation changes the same lines, from line 1 on',
      ],
    ]);
    expect(compareSnapshots(seen, takeSnapshot(sandbox.root), { times: true })).toEqual([]);
  });
});

test('what was removed stays removed until the next generation changes it', async () => {
  await withSandbox(async (sandbox) => {
    const activate = activateOn(sandbox);
    await edited(sandbox);
    for (const path of ['/etc/copy', '/etc/link']) rmSync(sandbox.on(path));
    expect((await activate('switch', '1', '--on-drift', 'merge')).status).toBe(0);
    expect(() => lstatSync(sandbox.on('/etc/copy'))).toThrow('ENOENT');
    const two = writeGeneration(sandbox, 'two', '1\n2\nnew\n');
    const { status, stderr } = await activate('switch', two, '--on-drift', 'merge');
    expect(status).toBe(3);
    expect(stderr).toContain('/etc/copy: it was changed since it was placed: nothing is there now; ');
  });
});

test('a change that the next generation has as well is over', async () => {
  await withSandbox(async (sandbox) => {
    const activate = insistOn(sandbox);
    await edited(sandbox);
    await activate('switch', writeGeneration(sandbox, 'two', 'mine\n2\n3\n'), '--on-drift', 'merge');
    expect(lstatSync(sandbox.on('/etc/link')).isSymbolicLink()).toBe(true);
    expect(await activate('status')).not.toContain('merged:');
  });
});
