/**
 * Names on a Unix filesystem are bytes; names here are strings.
 *
 * Bytes that are not UTF-8 become lone surrogates U+DC80–U+DCFF, one each, so nothing is lost: `encodeName(decodeName(bytes))`
 * is `bytes`, strings compare and print as usual, and JSON carries them as `\udcXX`.
 *
 * @see PEP 383, where the idea comes from
 */
export function decodeName(bytes: Uint8Array): string {
  const text = lenient.decode(bytes);
  return text.includes('\ufffd') ? decodeSlowly(bytes) : text;
}

/** The bytes of a name; see {@link decodeName}. */
export function encodeName(name: string): Uint8Array {
  if (name.isWellFormed()) return encoder.encode(name);
  const parts: number[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(code - 0xdc00);
    else parts.push(...encoder.encode(character));
  }
  return Uint8Array.from(parts);
}

/** The bytes of text that comes in pieces, in chunks of some kilobytes; a chunk is good until the next one is asked for. */
export function* encodePieces(pieces: Iterable<string>): Generator<Uint8Array> {
  const chunk = Buffer.alloc(64 * 1024);
  let filled = 0;
  for (const piece of pieces) {
    // Three bytes for each UTF-16 unit is the most that UTF-8 takes.
    if (filled > 0 && piece.length * 3 > chunk.length - filled) {
      yield chunk.subarray(0, filled);
      filled = 0;
    }
    if (piece.length * 3 > chunk.length || !piece.isWellFormed()) {
      if (filled > 0) yield chunk.subarray(0, filled);
      filled = 0;
      yield encodeName(piece);
    } else filled += chunk.write(piece, filled);
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

/** How many bytes a name has on disk. */
export function lengthInBytes(name: string): number {
  return ASCII.test(name) ? name.length : encodeName(name).length;
}

const ASCII = /^[\x00-\x7f]*$/;
const encoder = new TextEncoder();
const lenient = new TextDecoder('utf-8', { ignoreBOM: true });
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Takes the longest well-formed character at each place, else one byte. */
function decodeSlowly(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    text +=
      length === 0 ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : strict.decode(bytes.subarray(at, at + length));
    at += Math.max(length, 1);
  }
  return text;
}

/** How many bytes the well-formed character at `at` has; 0 where there is none. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return at + length <= bytes.length ? length : 0;
  } catch (error) {
    if (error instanceof TypeError) return 0;
    throw error;
  }
}
