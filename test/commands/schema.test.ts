import { expect, test } from 'bun:test';
import Ajv from 'ajv/dist/2020';
import { documentNames } from '../../src/core/schema/documents';
import { activateOn, runActivate } from '../support/cli';
import { writeClosure } from '../support/closures';
import { withSandbox } from '../support/sandbox';

// Every other test that runs a command with --json holds what it prints against these schemas.

const ajv = new Ajv({ strict: true, strictTypes: false });

test.each([...documentNames])('%s has a JSON Schema that a validator takes', async (name) => {
  const { status, stdout } = await runActivate(['schema', name]);
  expect(status).toBe(0);
  const schema = JSON.parse(stdout) as { title: string };
  expect(schema.title).toBe(`activate ${name} --json`);
  expect(() => ajv.compile(schema)).not.toThrow();
});

test.each([
  [['switch', 'closures/a'], 'switch'],
  [['status'], 'status'],
  [['list'], 'list'],
  [['diff', '0'], 'diff'],
  [['verify'], 'verify'],
  [['switch', 'none'], 'error'],
] as const)('what %j prints is valid, and nothing may be missing or more', async (argv, name) => {
  await withSandbox(async (sandbox) => {
    const activate = activateOn(sandbox);
    await activate('switch', writeClosure(sandbox, 'b', { 'etc/motd': 'b\n', 'etc/link': { link: 'x' } }));
    writeClosure(sandbox, 'a', { 'etc/motd': 'a\n' });
    const isValid = ajv.compile(JSON.parse((await activate('schema', name)).stdout) as object);
    const document = JSON.parse((await activate(...argv, '--json')).stdout) as Record<string, unknown>;
    expect(isValid(document)).toBe(true);
    expect(isValid({ ...document, more: 1 })).toBe(false);
    expect(isValid({ ...document, schema: 2 })).toBe(false);
    const { schema: _, ...less } = document;
    expect(isValid(less)).toBe(false);
  });
});

test('there is no schema of something else', async () => {
  const { status, stderr } = await runActivate(['schema', 'nonsense']);
  expect({ status, stderr }).toMatchObject({ status: 2 });
  expect(stderr).toContain('nonsense');
});
