import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Sandbox } from './sandbox';

/** What `activate install` writes down. */
export const RECORD = '/var/lib/activate/hooks.json';
export const UNITS = '/usr/lib/systemd/system';

/** A machine of which only that is there which a hook is chosen by. */
export function makeMachine(sandbox: Sandbox, ...paths: readonly string[]): void {
  for (const path of [
    '/usr/bin/activate',
    '/usr/lib/systemd/systemd',
    '/usr/lib/systemd/libsystemd-shared-252.so',
    ...paths,
  ]) {
    mkdirSync(dirname(sandbox.on(path)), { recursive: true });
    writeFileSync(sandbox.on(path), '', { mode: 0o755 });
  }
}

/** What initramfs-tools is seen by. */
export const INITRAMFS = ['/usr/sbin/update-initramfs', '/usr/share/initramfs-tools/hook-functions'];
