import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { openMachine, type TestMachine } from '../support/machine';
import { buildNixClosure, etcClosureExpression, nixosClosures } from '../support/nix';
import { writePlacements } from '../support/placements';

let machine: TestMachine;
let nixos = '';
beforeAll(async () => {
  machine = await openMachine();
  // A bundle names owners by number.
  const { 'named-owner': _, ...files } = nixosClosures.a.files;
  nixos = await buildNixClosure(machine, etcClosureExpression({ label: 'image', files }));
  writePlacements(machine.on('/var/closures/tree'));
});
afterAll(async () => machine.close());

/** What programs see in a generation, and that nothing of it is another than was recorded. */
async function shown(closure: string): Promise<unknown> {
  await machine.activate('switch', closure, '--on-conflict', 'backup');
  try {
    expect(await machine.shell('activate verify')).toContain('as recorded');
    return await machine.visible();
  } finally {
    await machine.activate('rollback', '0');
  }
}

describe.each(['squashfs', 'erofs'])('a bundle with an image that is %s', (kind) => {
  test.each([
    ['a tree', () => '/var/closures/tree'],
    ['a NixOS closure', () => nixos],
  ])('shows what the closure itself does: %s', async (_, closure) => {
    const bundle = '/var/bundle';
    await machine.activate('generate', closure(), '--output', bundle, '--image', kind);
    const usual = await shown(closure());
    expect(await shown(bundle)).toEqual(usual);
    await machine.shell(`rm -rf ${bundle}`);
  });
});
