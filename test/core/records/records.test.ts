import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { ActivateError } from '../../../src/core/errors';
import {
  type Generation,
  generationDirectory,
  parseGeneration,
  parseGenerationNumber,
  renderGeneration,
} from '../../../src/core/records/generation';
import type { Carrier } from '../../../src/core/records/overlay';
import { emptyLedger, type Ledger, nextLedger, parseLedger, renderLedger } from '../../../src/core/records/ledger';
import { copied, directory, foundDirectory, foundFile, linked, path } from '../../support/entries';

const anyText = fc.string({ unit: 'binary' });
const attitude = {
  match: anyText,
  onConflict: fc.constantFrom('refuse', 'backup', 'keep'),
  onDrift: fc.constant('keep'),
};

const anyGeneration = fc.record(
  {
    number: fc.integer({ min: 1, max: 999_999_999 }),
    closure: anyText,
    format: fc.constantFrom('nixos', 'guix', 'tree'),
    overlay: fc.constantFrom(...['/nix/store/0-x', '/var/lib/activate/generations/7/tree', '/a b/\udcff'].map(path)),
    carrier: fc.constantFrom<Carrier>(
      { kind: 'store', path: path('/nix/store/0-x') },
      { kind: 'tree' },
      { kind: 'erofs', sizeBytes: 4096, digest: '0a'.repeat(32) },
    ),
    imagePath: fc.constant(path('/srv/image')),
    resident: fc.boolean(),
    initrd: fc.record({ modules: fc.array(anyText), beforeMount: fc.array(fc.array(anyText)), digest: anyText }),
    addon: anyText,
    digest: anyText,
    rules: fc.array(fc.record(attitude, { requiredKeys: ['match'] })),
    paths: fc.nat(),
    created: fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    version: anyText,
  },
  {
    requiredKeys: [
      'number',
      'closure',
      'format',
      'overlay',
      'carrier',
      'resident',
      'digest',
      'rules',
      'paths',
      'created',
      'version',
    ],
  },
) as fc.Arbitrary<Generation>;

describe('a generation', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyGeneration, (generation) => {
        const text = renderGeneration(generation);
        expect(parseGeneration(text, 'f')).toEqual(generation);
        expect((JSON.parse(text) as { schema: number }).schema).toBe(1);
      }),
    );
  });

  test.each<[string, unknown, string]>([
    ['number', 0, 'number: '],
    ['number', '7', 'number: '],
    ['overlay', 'x', 'overlay: '],
    ['overlay', '/a/../b', 'overlay: '],
    ['format', 'zip', 'format: '],
    ['rules', [{ match: 'x', onDrift: 'melt' }], 'rules.0.onDrift: '],
    ['more', 1, 'more: '],
  ])('whose %s is %j is refused', (name, value, why) => {
    const [generation] = fc.sample(anyGeneration, 1);
    const text = JSON.stringify({ schema: 1, ...generation, [name]: value });
    expect(() => parseGeneration(text, '/f')).toThrow(`the record is damaged: ${why}`);
  });

  test('has a directory of its own', () => {
    expect(generationDirectory(7)).toBe(path('/var/lib/activate/generations/7'));
  });
});

test.each<[string, number | undefined]>([
  ['0', 0],
  ['7', 7],
  ['999999999', 999_999_999],
  ['1000000000', undefined],
  ['07', undefined],
  ['', undefined],
  ['-1', undefined],
  ['1.0', undefined],
  ['1e3', undefined],
  [' 1', undefined],
  ['1\n', undefined],
  ['\u0661', undefined],
])('the number of a generation: %j', (text, number) => {
  expect(parseGenerationNumber(text)).toBe(number as number);
});

const anyPath = fc.constantFrom(...['/etc/a', '/etc/a/b', '/etc/\udcff', '/etc/x y'].map(path));
const anyLedger: fc.Arbitrary<Ledger> = fc.record({
  kept: fc
    .array(fc.tuple(anyPath, fc.constantFrom('unmanaged' as const, 'drifted' as const)))
    .map((all) => new Map(all)),
  displaced: fc.array(fc.tuple(anyPath, fc.nat())).map((all) => new Map(all)),
  adopted: fc
    .array(fc.tuple(anyPath, fc.record({ mode: fc.nat(0o7777), uid: fc.nat(), gid: fc.nat() })))
    .map((all) => new Map(all)),
});

describe('a ledger', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(anyLedger, (ledger) => {
        expect(parseLedger(renderLedger(ledger), 'f')).toEqual(ledger);
      }),
    );
    expect(parseLedger(renderLedger(emptyLedger), 'f')).toEqual(emptyLedger);
  });

  test('that is none is refused', () => {
    for (const text of ['', '{}', '[]', '{"schema":1}', '{"schema":1,"kept":[["/a","x"]],"displaced":[],"adopted":[]}'])
      expect(() => parseLedger(text, 'f')).toThrow(ActivateError);
  });

  test('knows after a transition what was kept, taken over, adopted and given back', () => {
    const before: Ledger = {
      kept: new Map([[path('/etc/was-kept'), 'unmanaged']]),
      displaced: new Map([
        [path('/etc/old'), 1],
        [path('/etc/left'), 2],
        [path('/etc/still'), 3],
      ]),
      adopted: new Map([
        [path('/etc/dir'), { mode: 0o700, uid: 0, gid: 0 }],
        [path('/etc/given-up'), { mode: 0o700, uid: 0, gid: 0 }],
      ]),
    };
    const to = [directory('/etc/dir'), directory('/etc/dir2'), copied('/etc/kept'), linked('/etc/new')];
    const next = nextLedger(
      before,
      to,
      [
        {
          path: path('/etc/dir2'),
          action: 'adopt',
          before: { mode: 0o711, uid: 5, gid: 6 },
          next: directory('/etc/dir2'),
        },
        { path: path('/etc/kept'), action: 'keep', why: 'drifted', found: foundFile() },
        { path: path('/etc/left'), action: 'release' },
        { path: path('/etc/new'), action: 'replace', found: foundFile(), next: linked('/etc/new'), save: 'displaced' },
        { path: path('/etc/old'), action: 'restore', backup: 1, found: foundDirectory() },
      ],
      {
        firstBackup: 7,
        backups: [
          { path: path('/etc/edited'), reason: 'drifted' },
          { path: path('/etc/new'), reason: 'displaced' },
        ],
      },
    );
    expect(next).toEqual({
      kept: new Map([[path('/etc/kept'), 'drifted']]),
      displaced: new Map([
        [path('/etc/still'), 3],
        [path('/etc/new'), 8],
      ]),
      adopted: new Map([
        [path('/etc/dir'), { mode: 0o700, uid: 0, gid: 0 }],
        [path('/etc/dir2'), { mode: 0o711, uid: 5, gid: 6 }],
      ]),
    });
  });
});
