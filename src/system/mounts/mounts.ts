import { readFileSync } from 'node:fs';
import { decodeName } from '../../core/bytes';
import type { HostPath } from '../../core/path';
import { attempt } from '../failure';
import { errnoOf } from '../syscalls/errno';

export interface Mount {
  /** Where it is, as this process sees the tree. */
  readonly path: HostPath;
  /** Whether nothing can be written, because of the mount or of the filesystem. */
  readonly readOnly: boolean;
  /** The type, e.g. `ext4`. */
  readonly filesystem: string;
  /** As `major:minor`, like `Status.device`. */
  readonly device: string;
  /** What is mounted, e.g. `/dev/sda1`; a name that says nothing where no disk is behind it. */
  readonly source: string;
  /** Of the mount, not of the filesystem, e.g. `nosuid`. */
  readonly options: readonly string[];
}

/**
 * Every mount that this process can see; a mount that another covers at the very same path is left out.
 *
 * `undefined` where there is no /proc, so that nobody takes "unknown" for "none".
 *
 * @see proc_pid_mountinfo(5)
 */
export function readMounts(): readonly Mount[] | undefined {
  const path = '/proc/self/mountinfo';
  return attempt('read the mounts', path, () => {
    try {
      return parseMounts(readFileSync(path));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

interface MountLine extends Mount {
  readonly id: string;
  readonly parent: string;
}

/** The mounts that the text of a mountinfo file lists, in its order. */
export function parseMounts(bytes: Uint8Array): readonly Mount[] {
  const lines = decodeName(bytes)
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
  const byId = new Map(lines.map((line) => [line.id, line]));
  const covering = lines.filter(({ id, parent, path }) => id !== parent && byId.get(parent)?.path === path);
  const covered = new Set(covering.map(({ parent }) => parent));
  return lines.filter(({ id }) => !covered.has(id)).map(toMount);
}

function toMount({ path, readOnly, filesystem, device, source, options }: MountLine): Mount {
  return { path, readOnly, filesystem, device, source, options };
}

/** `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` */
function parseLine(line: string): MountLine {
  const [mount = '', filesystem = ''] = line.split(' - ', 2);
  const [id = '', parent = '', device = '', , path = '', options = ''] = mount.split(' ');
  const [type = '', source = '', superOptions = ''] = filesystem.split(' ');
  const readOnly = [...options.split(','), ...superOptions.split(',')].includes('ro');
  return {
    id,
    parent,
    path: unescape(path) as HostPath,
    readOnly,
    filesystem: unescape(type),
    device,
    source: unescape(source),
    options: options.split(','),
  };
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
