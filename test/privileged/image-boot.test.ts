import { expect, test } from 'bun:test';
import { writeClosure } from '../support/closures';
import { withMachine } from '../support/machine';

/** What systemd does with the unit of a generation, and then systemd-tmpfiles. */
const boot = `
  generation=$(readlink -f /var/lib/activate/default)
  for unit in "$generation"/systemd/*.mount; do
    value() { sed -n "s/^$1=//p" "$unit"; }
    mkdir -p "$(value Where)"
    mount -t "$(value Type)" -o "$(value Options)" "$(value What)" "$(value Where)"
  done
  systemd-tmpfiles --create "$generation/tmpfiles.d/activate.conf"
`;

test.each(['squashfs', 'erofs'])(
  'a generation of a %s is shown by its unit and its full snippet, where /run is empty and there is no activate',
  async (kind) => {
    await withMachine({}, async (machine) => {
      writeClosure({ root: machine.root, on: machine.on, remove: () => undefined }, 'one', {
        'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/copied"\nplace = "copy"\nmode = "0640"\n',
        'etc/shown': 'shown\n',
        'etc/copied': 'copied\n',
        'etc/direct': { link: 'shown' },
      });
      await machine.activate('generate', '/closures/one', '--output', '/var/bundle', '--image', kind);
      await machine.activate('switch', '/var/bundle');
      const before = await machine.visible();
      const unit = '/var/lib/activate/generations/1/systemd/run-activate-gen-1.mount';
      expect(await machine.shell(`systemd-analyze verify --man=no ${unit} 2>&1`)).toBe('');
      await machine.shell(
        'umount /run/activate/gen/1; rm -r /run/activate /run/filesystem-overlay; rm /etc/copied /etc/shown',
      );
      await machine.shell(boot);
      expect(await machine.visible()).toEqual(before);
      expect(await machine.shell('stat -c %a /etc/copied; stat -f -c %T /run/filesystem-overlay/')).toStartWith(
        '640\n',
      );
      expect(await machine.activate('status')).toMatch(/^overlay .*mounted/mu);
      expect(await machine.activate('switch', '1')).toContain('nothing to do');
      await machine.activate('rollback', '0');
    });
  },
);

test('a link in an image leads nowhere on the machine', async () => {
  await withMachine({}, async (machine) => {
    await machine.shell(
      'mkdir /var/led; ln -s /etc /var/led/etc; mksquashfs /var/led /var/led.squashfs -quiet -no-progress',
    );
    const { status, stderr } = await machine.attempt(['switch', '/var/led.squashfs']);
    expect({ status, stderr: stderr.split('\n')[0] }).toEqual({
      status: 65,
      stderr: 'activate: /var/led.squashfs: the closure has no etc',
    });
  });
});
