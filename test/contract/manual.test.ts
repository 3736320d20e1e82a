import { expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runActivate } from '../support/cli';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';

test.each([
  [
    ['help', '--man'],
    'activate.1',
    ['ACTIVATE(1)', 'activate backups restore', '--on-conflict refuse|backup|keep', 'EXIT STATUS'],
  ],
  [['help', '--man', 'policy'], 'activation.toml.5', ['ACTIVATION.TOML(5)', 'match = "/etc/sudoers.d/**"', 'on-drift']],
] as const)('man renders what %j prints without a warning', async (argv, name, expected) => {
  const { status, stdout } = await runActivate([...argv]);
  expect(status).toBe(0);
  const directory = makeTemporaryDirectory();
  try {
    writeFileSync(join(directory, name), stdout);
    const env = { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: '' };
    const man = Bun.spawnSync(['man', '--warnings=w', '-E', 'UTF-8', '-l', join(directory, name)], { env });
    expect({ status: man.exitCode, stderr: String(man.stderr) }).toEqual({ status: 0, stderr: '' });
    for (const text of expected) expect(String(man.stdout)).toContain(text);
    for (const line of String(man.stdout).split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  } finally {
    removeTree(directory);
  }
});
