import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { appendFileSync, truncateSync, writeFileSync } from 'node:fs';
import type { ImageNode } from '../../../src/core/image/node';
import type { TargetPath } from '../../../src/core/path';
import { type Packed, packNodes } from '../../../src/engine/image/packing';
import { makeSandbox, type Sandbox } from '../../support/sandbox';

let sandbox: Sandbox;
beforeEach(() => void (sandbox = makeSandbox()));
afterEach(() => sandbox.remove());

function nodeOf(name: string, text: string): ImageNode {
  const hostPath = sandbox.on(name);
  writeFileSync(hostPath, text);
  const path = `/etc/${name}` as TargetPath;
  return { path, kind: 'file', mode: 0o644, uid: 0, gid: 0, sizeBytes: text.length, content: { hostPath } };
}

function packing(nodes: readonly ImageNode[]): { readonly packed: Packed; readonly pieces: Generator<Uint8Array> } {
  const packed: Packed = { contents: new Map(), modes: new Map(), withoutAcl: [], isUnlike: false };
  const closure = '/closure';
  const pieces = packNodes({
    nodes,
    packed,
    kind: 'squashfs',
    closure,
    directory: undefined,
    advance: () => undefined,
  });
  return { packed, pieces };
}

describe('packNodes', () => {
  test.each([0, 1, 511, 512, 131_071, 131_072, 131_073, 262_144, 1_000_000])('packs %d bytes as they are', (size) => {
    const text = 'abcdefg'.repeat(size).slice(0, size);
    const { packed, pieces } = packing([nodeOf('first', text), nodeOf('last', 'last')]);
    const archive = Buffer.concat([...pieces]);
    const { stdout } = spawnSync('tar', ['-xO', 'etc/first'], { input: archive, maxBuffer: 1 << 24 });
    expect(stdout.toString() === text).toBe(true);
    const digest = new Bun.CryptoHasher('sha256').update(text).digest('hex');
    expect(packed.contents.get('/etc/first' as TargetPath)).toEqual({ digest, sizeBytes: size });
    expect(spawnSync('tar', ['-xO', 'etc/last'], { input: archive }).stdout.toString()).toBe('last');
  });

  test.each([
    ['grew', (path: string): void => appendFileSync(path, 'more')],
    ['shrank', (path: string): void => truncateSync(path, 1)],
  ])('refuses a file that %s since the closure was read', (_, change) => {
    const node = nodeOf('file', 'text');
    change(sandbox.on('file'));
    expect(() => [...packing([node]).pieces]).toThrow('the closure changed while it was being read');
  });

  test('reads on as much as there was, and no more', () => {
    const { pieces } = packing([nodeOf('a', 'a'.repeat(300_000)), nodeOf('b', 'b')]);
    pieces.next();
    truncateSync(sandbox.on('a'), 200_000);
    expect(() => [...pieces]).toThrow('the closure changed while it was being read');
  });
});
