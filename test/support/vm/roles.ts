import type { Booted } from './qemu';

/** What `activate status --json` said of a machine, as far as tests ask. */
export interface Roles {
  readonly live: number;
  readonly default: number;
  readonly booted: number | null;
  readonly pointer: string;
  readonly drifted: readonly string[];
}

/** What a script writes to `$RESULTS/NAME`: the machine's roles, for {@link rolesIn}. */
export function noteRoles(name: string): string {
  return `activate status --json >"$RESULTS/${name}"`;
}

export function rolesIn({ results }: Booted, name: string): Roles {
  const { live, default: next, booted, pointer, drifted } = JSON.parse(results[name] ?? '{}') as Roles;
  return { live, default: next, booted, pointer, drifted };
}

/** The roles of a machine on which nothing is out of order. */
export function roles(live: number, next: number, booted: number | null): Roles {
  return { live, default: next, booted, pointer: 'right', drifted: [] };
}

/** What a boot hook says of a boot in /run/activate/boot.json. */
export interface BootRecord {
  readonly schema: 1;
  readonly hook: string;
  readonly wanted: number;
  readonly chosen: number;
  readonly why: string;
  readonly passed: readonly { readonly generation: number; readonly why: string }[];
  readonly trial?: number;
  readonly brought: boolean;
}

/** The script that keeps the boot's record for {@link bootRecordIn}. */
export const KEEP_BOOT_RECORD = 'cp /run/activate/boot.json "$RESULTS/boot.json"';

export function bootRecordIn({ results }: Booted): BootRecord {
  return JSON.parse(results['boot.json'] ?? '{}') as BootRecord;
}
