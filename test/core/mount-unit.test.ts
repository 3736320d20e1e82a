import { describe, expect, test } from 'bun:test';
import { renderMountUnit, whyNotInUnit } from '../../src/core/mount-unit';

test('the unit mounts the image read-only, without setuid programs and devices, before anything is made from it', () => {
  const lines = renderMountUnit('/srv/100% "it"/image.erofs', 'erofs').split('\n');
  expect(lines).toContain('What=/srv/100%% "it"/image.erofs');
  expect(lines).toContain('Type=erofs');
  expect(lines).toContain('Options=loop,ro,nosuid,nodev');
  expect(lines.find((line) => line.startsWith('Before='))).toContain('systemd-tmpfiles-setup.service');
});

describe('whyNotInUnit', () => {
  test.each(['/srv/a b', '/srv/ä', '/srv/%', '/srv/"'])('takes %s', (path) => {
    expect(whyNotInUnit(path)).toBeUndefined();
  });
  test.each([
    ['/a\nb', 'control'],
    ['/a\tb', 'control'],
    ['/a\udcff', 'UTF-8'],
  ])('refuses %j', (path, why) => {
    expect(whyNotInUnit(path)).toContain(why);
  });
});
