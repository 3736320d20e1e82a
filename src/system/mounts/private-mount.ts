import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActivateError } from '../../core/errors';
import type { ImageKind } from '../../core/records/overlay';
import { explainMount } from './mounting';
import { runProgram } from '../programs';

/** An image that only this process sees. */
export interface PrivateMount {
  /** Where its content is, for this process; good for opening, not for showing to anybody. */
  readonly path: string;
  readonly close: () => Promise<void>;
}

/**
 * Mounts an image read-only in a mount namespace of its own: nothing of it is to be seen on the machine, and it goes with this
 * process, however that ends.
 *
 * Over /sys, because that is a directory on every machine, and nothing needs it there.
 *
 * @throws {ActivateError} `REFUSED` where this machine cannot mount such an image, `IO` where the image is damaged
 */
export async function openPrivateMount(file: string, kind: ImageKind): Promise<PrivateMount> {
  const script = 'mount -t "$1" -o ro,nosuid,nodev,noexec,loop -- "$2" /sys && echo ready && exec cat';
  const child = Bun.spawn(
    ['unshare', '--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh', kind, file],
    {
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      env: { ...process.env, LC_ALL: 'C' },
    },
  );
  const { value } = await child.stdout.getReader().read();
  const close = async (): Promise<void> => {
    await child.stdin.end();
    await child.exited;
  };
  if (value !== undefined) return { path: `/proc/${child.pid}/root/sys`, close };
  await close();
  const said = await new Response(child.stderr).text();
  if (!said.includes('unshare:')) throw explainMount(file, kind, said);
  throw new ActivateError('REFUSED', `cannot look into the image: ${said.trim()}`, {
    path: file,
    hint: 'Looking into an image needs a mount namespace: run this where root may make one.',
  });
}

/**
 * {@link openPrivateMount} for who may not mount: what an image holds, in a temporary directory. Owners are not to be seen there.
 */
export async function extractImage(file: string, kind: ImageKind): Promise<PrivateMount> {
  const top = mkdtempSync(join(tmpdir(), 'activate-image-'));
  const { remove } = await import('fs-extra/esm');
  const close = (): Promise<void> => remove(top);
  const path = join(top, 'content');
  const [program, ...args] =
    kind === 'squashfs'
      ? ['unsquashfs', '-no-xattrs', '-quiet', '-no-progress', '-dest', path, file]
      : ['fsck.erofs', `--extract=${path}`, file];
  const { status, stderr } = await runProgram(program ?? '', args);
  if (status === 0) return { path, close };
  await close();
  throw new ActivateError('IO', `the image cannot be read: ${stderr.trim().split('\n').at(-1) ?? ''}`, { path: file });
}
