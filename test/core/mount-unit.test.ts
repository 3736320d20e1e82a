import { describe, expect, test } from 'bun:test';
import { mountUnit, whyNotInUnit } from '../../src/core/mount-unit';
import { path } from '../support/entries';

test('the unit mounts the image read-only, without setuid programs and devices, before anything is made from it', () => {
  const at = path('/run/activate/gen/7');
  const { name, text } = mountUnit({ image: '/srv/100% "it"/image.erofs', kind: 'erofs', at });
  const lines = text.split('\n');
  expect(name).toBe('run-activate-gen-7.mount');
  expect(lines).toContain('Where=/run/activate/gen/7');
  expect(lines).toContain('What=/srv/100%% "it"/image.erofs');
  expect(lines).toContain('Type=erofs');
  expect(lines).toContain('Options=loop,ro,nosuid,nodev');
  expect(lines.find((line) => line.startsWith('Before='))).toContain('systemd-tmpfiles-setup.service');
});

describe('whyNotInUnit', () => {
  test.each(['/srv/a b', '/srv/ä', '/srv/%', '/srv/"'])('takes %s', (image) => {
    expect(whyNotInUnit(image)).toBeUndefined();
  });
  test.each([
    ['/a\nb', 'control'],
    ['/a\tb', 'control'],
    ['/a\udcff', 'UTF-8'],
  ])('refuses %j', (image, why) => {
    expect(whyNotInUnit(image)).toContain(why);
  });
});
