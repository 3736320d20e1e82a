const encoder = new TextEncoder();

/**
 * A JSON object with one more member at its end: the SHA-256 of all that comes before. Damage shows by it, whatever it hit.
 *
 * @param pieces together an object that ends with `}` and a newline
 */
export function* sealPieces(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  const hasher = new Bun.CryptoHasher('sha256');
  let held = new Uint8Array();
  for (const piece of pieces) {
    const all = held.length === 0 ? piece : Buffer.concat([held, piece]);
    const ready = all.subarray(0, Math.max(0, all.length - ENDING.length));
    held = new Uint8Array(all.subarray(ready.length));
    hasher.update(ready);
    yield ready;
  }
  yield encoder.encode(`,"seal":"${hasher.digest('hex')}"${ENDING}`);
}

const ENDING = '}\n';

/** The object as it was before {@link sealPieces}, and whether it still is what was sealed. */
export function openSeal(text: string): { readonly text: string; readonly state: 'sound' | 'broken' } {
  const seal = /,"seal":"(?<digest>[0-9a-f]{64})"\}\n$/u.exec(text);
  if (seal === null) return { text, state: 'broken' };
  const sealed = text.slice(0, seal.index);
  const digest = new Bun.CryptoHasher('sha256').update(sealed).digest('hex');
  return { text: sealed + ENDING, state: digest === seal.groups?.['digest'] ? 'sound' : 'broken' };
}
