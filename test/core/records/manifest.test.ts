import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { ActivateError } from '../../../src/core/errors';
import {
  checkSchema,
  isSameRecord,
  type Manifest,
  manifestPieces,
  parseManifest,
  renderManifest,
  withheldDigests,
} from '../../../src/core/records/manifest';
import { anyWrappers, wrapper } from '../../support/wrappers';
import { anyEntries, copied, direct, directory, linked, path, seeded, storeLink, whole } from '../../support/entries';

const anyManifest: fc.Arbitrary<Manifest> = fc
  .record({
    format: fc.constantFrom('nixos' as const, 'guix' as const, 'tree' as const),
    roots: fc.constantFrom([path('/etc')], [path('/etc'), path('/opt/x')]),
    entries: anyEntries,
    wrappers: anyWrappers,
  })
  .map(({ wrappers, ...plain }) => Object.assign(plain, wrappers.length === 0 ? {} : { wrappers }));

function refusalOf(text: string): string {
  try {
    parseManifest(text, {}, '/m.json');
  } catch (error) {
    if (error instanceof ActivateError) return `${error.code} ${error.path}: ${error.message}`;
    throw error;
  }
  return 'fine';
}

describe('a manifest', () => {
  test('is read as it was written, together with what is withheld', () => {
    fc.assert(
      fc.property(anyManifest, (manifest) => {
        const text = renderManifest(manifest);
        expect(parseManifest(text, withheldDigests(manifest), 'm')).toEqual(manifest);
        expect(renderManifest(parseManifest(text, withheldDigests(manifest), 'm'))).toBe(text);
      }),
    );
  });

  test('is one JSON document with a line for each entry, and the pieces are the whole', () => {
    fc.assert(
      fc.property(anyManifest, (manifest) => {
        const text = renderManifest(manifest);
        const document = JSON.parse(text) as { schema: number; entries: unknown[] };
        expect(document.schema).toBe(1);
        expect(document.entries).toHaveLength(manifest.entries.length);
        expect(text.trimEnd().split('\n')).toHaveLength(manifest.entries.length + 2);
        expect([...manifestPieces(manifest)].join('')).toBe(text);
      }),
    );
  });

  test('does not mention wrappers where there are none', () => {
    const plain: Manifest = { format: 'tree', roots: [path('/etc')], entries: [] };
    expect(renderManifest({ ...plain, wrappers: [] })).toBe(renderManifest(plain));
    expect(renderManifest(plain)).toBe('{"schema":1,"format":"tree","roots":["/etc"],"entries":[\n]}\n');
  });

  test('does not say what is in files that not everyone may read', () => {
    const manifest: Manifest = {
      format: 'tree',
      roots: [path('/etc')],
      entries: [linked('/etc/all', 'public'), linked('/etc/few', 'secret', 0o640), copied('/etc/one', 'secret', 0o600)],
    };
    expect(renderManifest(manifest)).not.toContain('secret');
    expect(withheldDigests(manifest)).toEqual({ '/etc/few': 'secret', '/etc/one': 'secret' });
    expect(parseManifest(renderManifest(manifest), {}, 'm').entries[1]).toEqual(linked('/etc/few', '', 0o640));
  });

  test('has this form', () => {
    const entries = [directory('/etc'), storeLink('/etc/a'), seeded('/etc/b')];
    expect(renderManifest({ format: 'nixos', roots: [path('/etc')], entries })).toBe(
      [
        '{"schema":1,"format":"nixos","roots":["/etc"],"entries":[',
        '{"path":"/etc","place":"directory","named":false,"kind":"directory","mode":493,"uid":0,"gid":0},',
        '{"path":"/etc/a","place":"link","kind":"symlink","linkText":"/nix/store/x"},',
        '{"path":"/etc/b","place":"seed","kind":"file","mode":420,"uid":0,"gid":0,"sizeBytes":1,"digest":"a","restyled":false}',
        ']}',
        '',
      ].join('\n'),
    );
  });
});

const HEAD = '{"schema":1,"format":"tree","roots":["/etc"],"entries":[';

function withEntries(...entries: unknown[]): string {
  return `${HEAD}\n${entries.map((entry) => JSON.stringify(entry)).join(',\n')}\n]}\n`;
}

describe('what is no manifest is refused', () => {
  test.each<[string, string, string]>([
    ['nothing', '', 'it is not JSON'],
    ['an array', '[]', 'it is not JSON'],
    ['no schema', '{"entries":[\n]}\n', 'it has no schema number'],
    ['no roots', '{"schema":1,"format":"tree","entries":[\n]}\n', 'it lacks a format, roots or entries'],
    ['another format', '{"schema":1,"format":"x","roots":[],"entries":[\n]}\n', 'it lacks a format, roots or entries'],
    ['a relative root', '{"schema":1,"format":"tree","roots":["etc"],"entries":[\n]}\n', 'it lacks a format, roots or'],
    ['an end that is missing', `${HEAD}\n`, 'it ends too early'],
    ['an entry that is cut off', `${HEAD}\n{"path":"/e`, 'it is not JSON'],
    ['something after the end', `${HEAD}\n]}\n]}\n`, 'something follows its end'],
    ['two entries for a path', withEntries(direct('/etc/a'), direct('/etc/a')), 'entries are out of order at /etc/a'],
    ['another order', withEntries(direct('/etc/b'), direct('/etc/a')), 'entries are out of order at /etc/a'],
    ['a string order', withEntries(direct('/a-b'), direct('/a/b')), 'entries are out of order at /a/b'],
    ['no entry', withEntries(null), 'an entry is malformed: null'],
  ])('%s', (_, text, why) => {
    expect(refusalOf(text)).toStartWith(`STATE /m.json: the record is damaged: ${why}`);
  });

  test.each<[string, object]>([
    ['a relative path', direct('etc/a')],
    ['a path with ..', direct('/etc/../a')],
    ['a path with a dot', direct('/etc/./a')],
    ['a path with a double slash', direct('/etc//a')],
    ['a path that ends with a slash', direct('/etc/')],
    ['a path with a NUL', direct('/etc/\0')],
    ['the root itself', direct('/')],
    ['an empty link', direct('/etc/a', '')],
    ['a link with a NUL', direct('/etc/a', 'a\0')],
    ['a placement that is none', { ...direct('/etc/a'), place: 'skip' }],
    ['a kind that the placement does not have', { ...direct('/etc/a'), place: 'copy' }],
    ['a file placed direct', { ...linked('/etc/a'), place: 'direct' }],
    ['a whole directory that is copied', { ...whole('/etc/a'), place: 'copy' }],
    ['a mode that is none', { ...linked('/etc/a'), mode: 0o10000 }],
    ['a negative owner', { ...linked('/etc/a'), uid: -1 }],
    ['a size with a fraction', { ...linked('/etc/a'), sizeBytes: 0.5 }],
    ['no digest', { ...linked('/etc/a'), digest: undefined }],
    ['a copy that does not say how it is made', { ...copied('/etc/a'), restyled: undefined }],
    ['a source that is none', { ...copied('/etc/a'), source: 1 }],
    ['a directory that does not say whether it is named', { ...directory('/etc/a'), named: undefined }],
  ])('%s', (_, entry) => {
    expect(refusalOf(withEntries(entry))).toStartWith('STATE /m.json: the record is damaged: an entry is malformed: {');
  });

  test.each<[string, unknown]>([
    ['a name that leads elsewhere', [wrapper('../x')]],
    ['a mode that is none', [wrapper('x', { mode: 0o10000 })]],
    ['capabilities that are none', [wrapper('x', { capabilities: 'cap_x=ep' })]],
    ['capabilities written in another way', [wrapper('x', { capabilities: 'cap_chown+ep' })]],
    ['a source that leads elsewhere', [wrapper('x', { source: '../x' })]],
    ['a source that is empty', [wrapper('x', { source: '' })]],
    ['a digest that is none', [wrapper('x', { digest: '' })]],
    ['a key that there is not', [{ ...wrapper('x'), setuid: true }]],
    ['two of one name', [wrapper('x'), wrapper('x')]],
    ['another order', [wrapper('y'), wrapper('x')]],
    ['no list', {}],
  ])('wrappers with %s', (_, wrappers) => {
    const text = `${JSON.stringify({ schema: 1, format: 'tree', roots: ['/etc'], wrappers }).slice(0, -1)},"entries":[\n]}\n`;
    expect(refusalOf(text)).toBe('STATE /m.json: the record is damaged: its wrappers are malformed');
  });

  test.each([
    '{"schema":2,"format":"tree","roots":["/etc"],"entries":[\n]}\n',
    '{"schema":7}',
    '{ "schema" : 2, "entries": {} }',
  ])('a newer one, whatever it looks like: %j', (text) => {
    expect(refusalOf(text)).toMatch(/^STATE \/m\.json: written by a newer activate \(schema \d; this one knows 1\)$/u);
  });

  test('any text gives a value or an error of ours', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.json(),
      fc.tuple(anyManifest, fc.nat()).map(([manifest, at]) => renderManifest(manifest).slice(0, at % 400)),
    );
    fc.assert(fc.property(texts, (text) => void refusalOf(text)));
  });
});

test('a schema is a number, and this one', () => {
  expect(() => checkSchema(1, 'f')).not.toThrow();
  for (const schema of [0, 2, '1', null, undefined, 1.5, Number.NaN])
    expect(() => checkSchema(schema, 'f')).toThrow(ActivateError);
});

test('two records are the same where every field is', () => {
  fc.assert(
    fc.property(anyEntries, (entries) => {
      for (const a of entries) for (const b of entries) expect(isSameRecord(a, { ...b })).toBe(Bun.deepEquals(a, b));
    }),
  );
  expect(isSameRecord(copied('/a'), { ...copied('/a'), source: '/x' })).toBe(false);
  expect(isSameRecord({ ...copied('/a'), source: '/x' }, copied('/a'))).toBe(false);
});
