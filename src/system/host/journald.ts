import { encodeName } from '../../core/bytes';
import { close } from '../syscalls/files';
import { openDatagramSocket, sendDatagram } from '../syscalls/sockets';

const SOCKET = '/run/systemd/journal/socket';

/**
 * Leaves an entry in the journal of systemd.
 *
 * @param fields by the names that the journal has for them
 * @returns whether the journal took it: there may be none
 * @see systemd.journal-fields(7), and the native protocol of the journal
 */
export function sendToJournal(fields: Readonly<Record<string, string>>): boolean {
  const descriptor = openDatagramSocket();
  if (descriptor < 0) return false;
  try {
    const entry = Buffer.concat(Object.entries(fields).map(([name, value]) => encodeField(name, encodeName(value))));
    return sendDatagram(descriptor, SOCKET, entry) >= 0;
  } finally {
    close(descriptor);
  }
}

/** The length goes before the value, which may have any bytes in it then. */
function encodeField(name: string, value: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(value.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, value, Buffer.from('\n')]);
}
