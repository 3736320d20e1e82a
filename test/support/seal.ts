import { createHash } from 'node:crypto';

/** A record as `activate` writes it: with the digest of all that comes before as its last member. */
export function seal(record: object): string {
  const text = JSON.stringify(record).slice(0, -1);
  return `${text},"seal":"${createHash('sha256').update(text).digest('hex')}"}\n`;
}

const SEAL = /,"seal":"([0-9a-f]{64})"\}\n$/u;

/** A record with other content, sealed anew where it was sound before; what was damaged stays so. */
export function resealed(before: Buffer, after: Buffer): Buffer {
  const was = SEAL.exec(before.toString('latin1'));
  const is = SEAL.exec(after.toString('latin1'));
  if (was === null || is === null || digest(before.subarray(0, was.index)) !== was[1]) return after;
  const text = after.subarray(0, is.index);
  return Buffer.concat([text, Buffer.from(`,"seal":"${digest(text)}"}\n`)]);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
