import { afterAll, beforeAll, expect, test } from 'bun:test';
import { type Contents, writeClosure } from '../support/closures';
import { openMachine, type TestMachine } from '../support/machine';

// Whoever only looks takes no lock: what is there may be about to change.

let machine: TestMachine;
beforeAll(async () => {
  machine = await openMachine();
  const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
  for (const name of ['one', 'two']) {
    const contents: Record<string, Contents[string]> = {
      'activation.toml': 'schema = 1\n[[path]]\nmatch = "copy-*"\nplace = "copy"\nmode = "0640"\n',
      [`etc/only-${name}/file`]: name,
      'etc/direct': { link: name },
    };
    for (let index = 0; index < 60; index += 1) {
      contents[`etc/many/${index}`] = `${name}\n`;
      contents[`etc/many/copy-${index}`] = `${name}\n`;
    }
    writeClosure(sandbox, name, contents);
  }
  await machine.activate('switch', '/closures/one');
});
afterAll(async () => machine.close());

const SWITCHES = 30;

test.each(['root', 'nobody'] as const)(
  'status and verify say something sensible at every moment of a switch: %s',
  async (user) => {
    const ends: Record<string, number> = {};
    const strange: string[] = [];
    const stopping = new AbortController();
    const looking = (async () => {
      while (!stopping.signal.aborted) {
        for (const command of ['status', 'verify'] as const) {
          const { status, stdout, stderr } = await machine.attempt([command, '--json'], { user });
          ends[`${command} ${status}`] = (ends[`${command} ${status}`] ?? 0) + 1;
          const messages = stderr
            .split('\n')
            .filter((line) => line !== '' && !line.includes('a transition is under way'));
          const isSensible = status === 0 || (command === 'verify' && status === 1);
          if (!isSensible || messages.length > 0) strange.push(`${command}: ${status} ${stderr}${stdout}`);
        }
      }
    })();
    for (let index = 0; index < SWITCHES; index += 1)
      await machine.activate('switch', index % 2 === 0 ? '/closures/two' : '/closures/one');
    stopping.abort();
    await looking;
    console.log(`${SWITCHES} switches, looked at by ${user}: ${JSON.stringify(ends)}`);
    expect(strange).toEqual([]);
    expect((await machine.attempt(['verify'], { user: 'root' })).status).toBe(0);
  },
  240_000,
);
