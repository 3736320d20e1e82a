import { expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { activateOn, insistOn } from '../support/cli';
import { writeClosure, writeContents } from '../support/closures';
import { withSandbox } from '../support/sandbox';

test('status --exit-code tells whether all is as it was recorded', async () => {
  await withSandbox(async (sandbox) => {
    const activate = activateOn(sandbox);
    expect((await activate('status', '--exit-code')).status).toBe(0);
    await activate('switch', writeClosure(sandbox, 'one', { 'etc/motd': 'one\n' }));
    expect((await activate('status', '--exit-code')).status).toBe(0);
    rmSync(sandbox.on('/etc/motd'));
    expect((await activate('status', '--exit-code')).status).toBe(1);
    expect((await activate('status')).status).toBe(0);
  });
});

test('status has a column for what the default would change', async () => {
  await withSandbox(async (sandbox) => {
    const activate = insistOn(sandbox);
    await activate('switch', writeClosure(sandbox, 'one', { 'etc/gone': '1\n', 'etc/same': '', 'etc/shown': '1\n' }));
    await activate('boot', writeClosure(sandbox, 'two', { 'etc/new': '2\n', 'etc/same': '', 'etc/shown': '2\n' }));
    rmSync(sandbox.on('/etc/same'));
    const lines = (await activate('status')).split('\n').filter((line) => /^ {2}[ A-Z] [ A-Z] {2}\//u.test(line));
    expect(lines).toEqual(['    D  /etc/gone', '    A  /etc/new', '  D A  /etc/same', '    M  /etc/shown']);
  });
});

test("status names the lines of the machine's own tmpfiles.d that will fight for managed paths", async () => {
  await withSandbox(async (sandbox) => {
    const activate = insistOn(sandbox);
    writeContents(sandbox.root, {
      'usr/lib/tmpfiles.d/legacy.conf': '# comment\nd /etc/x\nL+ /etc/mine - - - - /proc\nz /etc/m* 0600\n',
    });
    await activate('switch', writeClosure(sandbox, 'one', { 'etc/mine': '', 'etc/other': '' }));
    expect(await activate('status')).toEndWith(
      [
        "tmpfiles 2 lines of the machine's own tmpfiles.d will change managed paths at the next boot:",
        '  /etc/mine: L+ in /usr/lib/tmpfiles.d/legacy.conf:3',
        '  /etc/mine: z in /usr/lib/tmpfiles.d/legacy.conf:4',
        '',
      ].join('\n'),
    );
  });
});

test('status says why a reboot is needed', async () => {
  await withSandbox(async (sandbox) => {
    const activate = insistOn(sandbox);
    const system = (name: string, kernel: string): string => {
      const top = `/nix/store/0-${name}`;
      writeContents(sandbox.root, {
        [`nix/store/k-${kernel}`]: '',
        [`${top.slice(1)}/etc`]: { directory: 0o755 },
        [`${top.slice(1)}/etc/file`]: { link: `/nix/store/k-${kernel}` },
        [`${top.slice(1)}/kernel`]: { link: `/nix/store/k-${kernel}` },
        [`${top.slice(1)}/kernel-params`]: 'quiet\n',
      });
      return top;
    };
    const [one, two] = [system('one', '6.1'), system('two', '6.12')];
    writeContents(sandbox.root, { 'run/booted-system': { link: one } });
    await activate('switch', sandbox.on(one));
    expect(await activate('status')).not.toContain('reboot');
    await activate('switch', sandbox.on(two));
    expect(await activate('status')).toEndWith(
      'reboot   needed: kernel of the default generation differ from what was booted\n',
    );
    writeFileSync(sandbox.on(`${two}/kernel-params`), 'debug\n');
    expect(await activate('status')).toContain('reboot   needed: kernel, kernel parameters of');
  });
});
