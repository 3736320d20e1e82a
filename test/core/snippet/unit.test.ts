import { describe, expect, test } from 'bun:test';
import { fullSnippet, fullSnippetPieces, whyNotWrapped } from '../../../src/core/snippet/full-snippet';
import { wrapperUnits } from '../../../src/core/snippet/unit';
import { path } from '../../support/entries';
import { wrapper } from '../../support/wrappers';

const held = wrapper('ping', { mode: 0o755, capabilities: 'cap_net_raw=ep', source: path('/nix/store/0-x/bin/p g') });
const directory = path('/run/wrappers/gen-7');

describe('the boot of wrappers', () => {
  test('needs no unit where there are none', () => {
    expect(wrapperUnits([], directory)).toEqual([]);
    expect([...fullSnippetPieces([], '/o', { wrappers: [], generation: 7 })].join('')).toBe(fullSnippet([], '/o'));
  });

  test('needs a filesystem before systemd-tmpfiles runs', () => {
    const [mount, ...others] = wrapperUnits([wrapper('su')], directory);
    expect([mount?.name, others]).toEqual(['run-wrappers.mount', []]);
    const lines = mount?.text.split('\n') ?? [];
    for (const line of ['Where=/run/wrappers', 'Options=nodev,mode=0755', 'Before=systemd-tmpfiles-setup.service'])
      expect(lines).toContain(line);
  });

  test('needs setcap afterwards for those with capabilities alone', () => {
    const [, service] = wrapperUnits([held, wrapper('su')], directory);
    expect(service?.name).toBe('activate-wrappers.service');
    expect(service?.text.match(/^ExecStart=.*/gmu)).toEqual([
      'ExecStart=setcap "cap_net_raw=ep" /run/wrappers/gen-7/ping',
    ]);
    expect(service?.text).toContain('After=run-wrappers.mount systemd-tmpfiles-setup.service\n');
  });

  test('has a line for each wrapper in the full snippet, and the link last', () => {
    const snippet = [...fullSnippetPieces([], '/o', { wrappers: [held, wrapper('su', { uid: 3 })], generation: 7 })];
    expect(snippet.join('').split('\n').slice(2)).toEqual([
      'd /run/wrappers - - -',
      'd /run/wrappers/gen-7 0755 0 0',
      String.raw`C /run/wrappers/gen-7/ping 0755 0 0 - /nix/store/0-x/bin/p\x20g`,
      'C /run/wrappers/gen-7/su 4755 3 0 - /o/.activate/wrappers/su',
      'L /run/wrappers/bin - - - - gen-7',
      '',
    ]);
  });

  test('is impossible for an owner that systemd-tmpfiles takes for none', () => {
    expect(whyNotWrapped(wrapper('su', { uid: 65535 }), '/o')).toContain('65535');
    expect(whyNotWrapped(wrapper('su'), '/o')).toBeUndefined();
  });
});
