import { expect } from 'bun:test';
import { activateOn } from './cli';
import type { Sandbox } from './sandbox';
import { takeSnapshot } from './snapshot';

/** An error as people see it. */
export interface Refusal {
  /** What the message says without the path that it begins with. */
  readonly message: string;
  readonly path: string;
  readonly hint: string;
}

/**
 * Runs a command that has to fail with one message and a way out, and that may write nothing below the sandbox's root:
 * neither now nor with `--json`, which says the same.
 *
 * The lock is made before: it is there on any machine where `activate` ran since the boot.
 */
export async function refusalOf(sandbox: Sandbox, status: number, argv: readonly string[]): Promise<Refusal> {
  const activate = activateOn(sandbox);
  await activate('resume');
  const before = takeSnapshot(sandbox.root, { inodes: true });
  const text = await activate(...argv);
  const json = await activate(...argv, '--json');
  expect(takeSnapshot(sandbox.root, { inodes: true })).toEqual(before);
  expect({ ...text, stderr: '' }).toEqual({ status, stdout: '', stderr: '' });
  expect(json.stderr).toBe(text.stderr);
  const document = JSON.parse(json.stdout) as { schema: number; error: Refusal & { status: number } };
  const { message, path, hint } = document.error;
  expect({ schema: document.schema, status: document.error.status }).toEqual({ schema: 1, status });
  expect(text.stderr.split('\n')).toEqual([expect.stringMatching(/^activate: ./u), hint, '']);
  expect(text.stderr.split('\n')[0]).toEndWith(`: ${message}`);
  return { message, path, hint };
}
