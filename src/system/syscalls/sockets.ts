import { type Outcome } from './errno';
import { libc } from './libc';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** A socket that datagrams are sent through to others on this machine. @see unix(7) */
export function openDatagramSocket(): Outcome {
  const { socket, outcome } = libc();
  return outcome(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

/** Sends a datagram to the socket at a path, or fails at once. @see sendto(2) */
export function sendDatagram(descriptor: number, path: string, bytes: Uint8Array): Outcome {
  const { sendto, outcome } = libc();
  const name = Buffer.from(`${path}\0`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  return outcome(sendto(descriptor, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length));
}
