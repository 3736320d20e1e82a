import { constants } from 'node:os';
import type { TargetPath } from '../../core/path';
import { attempt } from '../failure';
import { forReading, openPath, type Root, withDescriptor } from '../tree/rooted';
import { must } from '../syscalls/errno';
import { open } from '../syscalls/files';
import { readAttribute } from '../syscalls/xattrs';

const { ENODATA, ENOTSUP } = constants.errno;

/**
 * The attribute that holds the capabilities of the regular file at `path`; `undefined` where it has none.
 *
 * @throws {ActivateError} `IO` or `PERMISSION`
 * @see capabilities(7)
 */
export function readCapabilityAttribute(root: Root, path: TargetPath): Uint8Array | undefined {
  return attempt('read the capabilities', path, () =>
    withDescriptor(openPath(root, path, forReading | open.noFollow), path, (file) => {
      const value = readAttribute(file, 'security.capability');
      if (value === -ENODATA || value === -ENOTSUP) return undefined;
      return must<Uint8Array>(value, 'fgetxattr', path);
    }),
  );
}
