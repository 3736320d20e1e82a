import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Candidate, type LastBoot, NO_TRIES, whyPassedOver } from '../../../src/core/status/next-boot';

const three: Candidate = { number: 3, createdMs: 1000, tries: undefined };
const damaged: LastBoot = { passed: [{ generation: 3, why: 'its image is damaged' }], atMs: 2000 };

test.each<[string, Candidate, LastBoot | undefined, string | undefined]>([
  ['shows the default where no boot said anything', three, undefined, undefined],
  ['shows the default where the last one did', three, { passed: [], atMs: 2000 }, undefined],
  ['shows the default where the last one passed over another', { ...three, number: 4 }, damaged, undefined],
  ['passes over the default as the last one did', three, damaged, 'its image is damaged'],
  [
    'passes over it without knowing why',
    three,
    { ...damaged, passed: [{ generation: 3, why: '' }] },
    'it could not be shown',
  ],
  ['shows a default that was made since, by the same number', { ...three, createdMs: 3000 }, damaged, undefined],
  ['passes over the default without tries', { ...three, tries: 0 }, undefined, NO_TRIES],
  ['shows the default with tries', { ...three, tries: 1 }, undefined, undefined],
  [
    'shows a default that is trusted by now',
    three,
    { ...damaged, passed: [{ generation: 3, why: NO_TRIES }] },
    undefined,
  ],
])('the next boot %s', (_, next, boot, why) => {
  expect(whyPassedOver(next, boot)).toBe(why);
});

test('the boot hook says of a trial that is over what is looked for here', () => {
  const hook = readFileSync(join(import.meta.dir, '../../../src/hooks/boot.sh'), 'utf8');
  expect(hook).toContain(`why='${NO_TRIES}'`);
});
