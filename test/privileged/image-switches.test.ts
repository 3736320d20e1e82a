import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { writeContents } from '../support/closures';
import { bundleOn, cutPower, imageOn, kinds, loopsOn, mountedOn, shownOn } from '../support/images';
import { openMachine, switchAsPreviewed, type TestMachine } from '../support/machine';
import { compareSnapshots, takeSnapshot } from '../support/snapshot';

const STATE = '/var/lib/activate';
const MOUNTS = '/run/activate/gen';

let machine: TestMachine;
beforeEach(async () => {
  machine = await openMachine();
  mkdirSync(machine.on('/var/images'));
  for (const name of ['one', 'two', 'three'])
    writeContents(machine.on(`/var/images/${name}`), {
      'activation.toml': 'schema = 1\n[[path]]\nmatch = "/etc/copied"\nplace = "copy"\n',
      'etc/shown': `${name}\n`,
      'etc/copied': { file: `${name}\n`, mode: 0o600 },
      'etc/direct': { link: name },
      [`etc/only/${name}`]: `${name}\n`,
      'etc/hosts': '127.0.0.1 localhost\n',
    });
});
afterEach(async () => machine.close());

/** Everything that /etc shows is that of a closure, the pointer leads to the generation, and nothing has drifted. */
async function expectShown(name: string, number: number): Promise<void> {
  expect(await machine.shell('cat /etc/shown /etc/copied /etc/only/*; readlink /etc/direct')).toBe(
    `${name}\n`.repeat(4),
  );
  expect(readlinkSync(machine.on('/run/filesystem-overlay'))).toBe(`${MOUNTS}/${number}`);
  expect(JSON.parse(await machine.activate('status', '--json'))).toMatchObject({
    live: number,
    pointer: 'right',
    content: 'there',
    drifted: [],
    interrupted: null,
  });
  expect(await machine.activate('verify')).toContain('as recorded');
}

describe.each([...kinds])('images of %s', (kind) => {
  let images: Record<'one' | 'two' | 'three', string>;
  beforeEach(() => {
    images = {
      one: imageOn(machine, kind, '/var/images/one'),
      two: imageOn(machine, kind, '/var/images/two'),
      three: imageOn(machine, kind, '/var/images/three'),
    };
  });

  test('are shown from a copy, one at a time, and everything is given back', async () => {
    const [etc, mounts] = [machine.etc(), await mountedOn(machine)];
    await switchAsPreviewed(machine, 'switch', images.one);
    await expectShown('one', 1);
    rmSync(machine.on(images.one));
    expect(await shownOn(machine)).toEqual(['1']);
    await switchAsPreviewed(machine, 'switch', images.two);
    await expectShown('two', 2);
    expect(await shownOn(machine)).toEqual(['2']);
    await switchAsPreviewed(machine, 'rollback', '1');
    await expectShown('one', 1);
    expect(await shownOn(machine)).toEqual(['1']);
    await switchAsPreviewed(machine, 'rollback', '0');
    expect(compareSnapshots(etc, machine.etc(), { times: true })).toEqual([]);
    expect(await mountedOn(machine)).toEqual(mounts);
    expect(await machine.shell(`ls ${MOUNTS}`)).toBe('');
  });

  test('are what a tree of the same closure is', async () => {
    await machine.activate('switch', '/var/images/one');
    const visible = await machine.visible();
    await switchAsPreviewed(machine, 'switch', images.one);
    expect(await machine.visible()).toEqual(visible);
    const bundle = await bundleOn(machine, kind, '/var/images/one');
    await switchAsPreviewed(machine, 'switch', bundle);
    expect(await machine.visible()).toEqual(visible);
    expect(await machine.activate('switch', '/var/images/one')).toContain('Generation 4 is live: 0 paths changed');
    expect(await machine.visible()).toEqual(visible);
    expect(await shownOn(machine)).toEqual([]);
  });

  test('are the same generation again, from an image or a copy of it', async () => {
    await machine.activate('switch', images.one);
    const before = await mountedOn(machine);
    await machine.shell(`cp ${images.one} /var/images/copy`);
    for (const image of [images.one, '/var/images/copy'])
      expect(await machine.activate('switch', image)).toContain('nothing to do');
    expect(await mountedOn(machine)).toEqual(before);
  });

  test('stay mounted while they are live, default or booted', async () => {
    await machine.activate('switch', images.one);
    writeContents(machine.root, { 'run/activate/boot.json': '{"schema": 1, "chosen": 1}' });
    await machine.activate('switch', images.two);
    await machine.activate('test', images.three);
    await expectShown('three', 3);
    expect(await shownOn(machine)).toEqual(['1', '2', '3']);
    await machine.activate('switch', '3');
    expect(await shownOn(machine)).toEqual(['1', '3']);
    rmSync(machine.on('/run/activate/boot.json'));
    await machine.activate('rollback');
    expect(await shownOn(machine)).toEqual(['2']);
  });

  test('for the next boot are not mounted now, and can be switched to', async () => {
    await machine.activate('switch', images.one);
    await machine.activate('boot', images.two);
    expect(await shownOn(machine)).toEqual(['1']);
    await expectShown('one', 1);
    expect(readFileSync(machine.on(`${STATE}/default/tmpfiles.d/activate.conf`), 'utf8')).toContain(
      `L+ /run/filesystem-overlay - - - - ${MOUNTS}/2\n`,
    );
    await switchAsPreviewed(machine, 'switch', '2');
    await expectShown('two', 2);
  });

  test('are used in place, without a copy', async () => {
    const mounts = await mountedOn(machine);
    await machine.activate('switch', images.one, '--in-place');
    await expectShown('one', 1);
    expect(existsSync(machine.on(`${STATE}/generations/1/image.${kind}`))).toBe(false);
    expect(await machine.activate('status')).toContain('in place, mounted');
    expect(await machine.activate('switch', images.one, '--in-place')).toContain('nothing to do');
    await switchAsPreviewed(machine, 'switch', images.one);
    expect(existsSync(machine.on(`${STATE}/generations/2/image.${kind}`))).toBe(true);
    await machine.activate('rollback', '0');
    expect(await mountedOn(machine)).toEqual(mounts);
  });

  test('that vanish are missed, and left for another generation', async () => {
    const etc = machine.etc();
    await machine.activate('switch', images.one);
    await machine.activate('switch', images.two, '--in-place');
    await machine.shell(`mv ${images.two} ${images.two}.away`);
    // What is mounted goes on.
    expect(await machine.shell('cat /etc/shown')).toBe('two\n');
    await cutPower(machine);
    expect(await machine.activate('status')).toContain('What generation 2 shows is gone');
    const { status, stderr } = await machine.attempt(['switch', '2']);
    expect({ status, stderr }).toEqual({ status: 3, stderr: expect.stringContaining(`${images.two}: `) as string });
    await machine.activate('rollback', '1');
    await expectShown('one', 1);
    await machine.shell(`mv ${images.two}.away ${images.two}`);
    await machine.activate('switch', '2');
    await expectShown('two', 2);
    await machine.shell(`rm ${images.two}`);
    await cutPower(machine);
    await machine.activate('rollback', '0');
    expect(compareSnapshots(etc, machine.etc(), { times: true })).toEqual([]);
  });

  test.each([
    [
      'changed',
      (file: string) =>
        machine.shell(`chattr -i ${file} || true; printf x | dd of=${file} bs=1 seek=2000 conv=notrunc status=none`),
    ],
    ['cut off', (file: string) => machine.shell(`chattr -i ${file} || true; truncate -s 3000 ${file}`)],
    ['removed', (file: string) => machine.shell(`chattr -i ${file} || true; rm ${file}`)],
  ])('of a generation that were %s keep nobody from another generation', async (_what, damage) => {
    const etc = machine.etc();
    for (const image of [images.one, images.two]) await machine.activate('switch', image);
    await damage(`${STATE}/generations/2/image.${kind}`);
    await cutPower(machine);
    const { status } = await machine.attempt(['switch', '2']);
    expect([3, 65]).toContain(status);
    await machine.activate('switch', images.three);
    await expectShown('three', 3);
    await machine.activate('boot', '1');
    await machine.activate('rollback', '1');
    await damage(`${STATE}/generations/1/image.${kind}`).catch(() => '');
    await cutPower(machine);
    await machine.activate('rollback', '0');
    expect(compareSnapshots(etc, machine.etc(), { times: true })).toEqual([]);
  });

  test('are mounted and pointed at again after a power cut', async () => {
    for (const image of [images.one, images.two]) await machine.activate('switch', image);
    await cutPower(machine);
    expect(await machine.activate('status')).toContain('What generation 2 shows is not mounted');
    await machine.activate('switch', '2');
    await expectShown('two', 2);
    await cutPower(machine);
    await machine.activate('switch', images.two);
    await expectShown('two', 2);
    await cutPower(machine);
    await machine.activate('rollback');
    await expectShown('one', 1);
    await cutPower(machine);
    await machine.activate('switch', images.three);
    await expectShown('three', 3);
    expect(await shownOn(machine)).toEqual(['3']);
  });

  test('leave nothing behind, however often they are switched', async () => {
    const mounts = await mountedOn(machine);
    for (const image of [images.one, images.two]) await machine.activate('switch', image);
    const between = (await mountedOn(machine)).length;
    for (let count = 0; count < 50; count += 1) {
      await machine.activate('switch', '1');
      await machine.activate('switch', '2');
      if (count % 10 === 0) expect((await mountedOn(machine)).length).toBe(between);
    }
    await expectShown('two', 2);
    expect((await mountedOn(machine)).length).toBe(between);
    await machine.activate('rollback', '0');
    expect(await mountedOn(machine)).toEqual(mounts);
  });

  test('are removed with their generations, which nobody needs', async () => {
    for (const image of [images.one, images.two, images.three]) await machine.activate('switch', image);
    await machine.activate('test', '1');
    expect(await machine.activate('gc', '--keep', '0')).toBe('1 generation removed: 2.\n');
    expect(readdirSync(machine.on(`${STATE}/generations`)).toSorted()).toEqual(['1', '3']);
    await expectShown('one', 1);
    await machine.activate('rollback', '0');
    expect(await machine.activate('gc', '--keep', '0')).toBe('2 generations removed: 1, 3.\n');
    expect(await shownOn(machine)).toEqual([]);
    expect(await loopsOn(machine)).toEqual([]);
  });

  test('stay for a process that holds a file, or is in a directory, until it lets go', async () => {
    await machine.activate('switch', images.one);
    const holders = [
      machine.start(['bash', '-c', 'exec 3</etc/shown; touch /run/open; exec sleep 1000 <&3']),
      machine.start(['bash', '-c', `cd ${MOUNTS}/1/etc/only; touch /run/inside; exec sleep 1000`]),
    ];
    while (!existsSync(machine.on('/run/open')) || !existsSync(machine.on('/run/inside'))) await Bun.sleep(1);
    await machine.activate('switch', images.two);
    expect(await shownOn(machine)).toEqual(['2']);
    expect(await machine.shell(`ls ${MOUNTS}`)).toBe('2\n');
    const [file = 0, directory = 0] = holders.map(({ pid }) => pid);
    expect(await machine.shell(`cat /proc/${file}/fd/3 /proc/${directory}/cwd/one`)).toBe('one\none\n');
    // And it can be shown again while they hold it.
    await machine.activate('switch', '1');
    await machine.activate('switch', '2');
    expect(await machine.shell(`cat /proc/${file}/fd/3 /proc/${directory}/cwd/one`)).toBe('one\none\n');
    for (const holder of holders) holder.kill('SIGKILL');
    for (const holder of holders) await holder.finished;
    const held = (await loopsOn(machine)).filter((name) => name.includes('/generations/1/'));
    expect(held).toEqual([]);
  });

  test('are not taken for those of another history', async () => {
    await machine.activate('switch', images.one);
    // Somebody begins anew without a reboot: generation 1 is another one then.
    await machine.shell(
      `chattr -R -i ${STATE} || true; rm -rf ${STATE}/* /etc/shown /etc/copied /etc/direct /etc/only`,
    );
    await machine.activate('switch', images.two, '--on-conflict', 'backup');
    expect(await machine.shell('cat /etc/shown')).toBe('two\n');
    expect((await shownOn(machine)).length).toBe(1);
  });
});

test('from one kind to the other, to a tree and to a store and back', async () => {
  const closures = [
    imageOn(machine, 'squashfs', '/var/images/one'),
    imageOn(machine, 'erofs', '/var/images/two'),
    '/var/images/three',
    await bundleOn(machine, 'erofs', '/var/images/one'),
    await bundleOn(machine, 'squashfs', '/var/images/two'),
  ];
  const etc = machine.etc();
  for (const closure of closures) await switchAsPreviewed(machine, 'switch', closure);
  for (const from of [1, 2, 3, 4, 5])
    for (const to of [1, 2, 3, 4, 5]) {
      await machine.activate('switch', String(from));
      await machine.activate('switch', String(to));
      expect(await shownOn(machine)).toEqual(to === 3 ? [] : [String(to)]);
      expect(await machine.shell('cat /etc/shown')).toBe(`${[0, 'one', 'two', 'three', 'one', 'two'][to]}\n`);
    }
  await machine.activate('rollback', '0');
  expect(compareSnapshots(etc, machine.etc(), { times: true })).toEqual([]);
  expect(takeSnapshot(machine.on('/run')).filter(({ path }) => path.startsWith('/activate/gen/'))).toEqual([]);
});

test('an image is mounted read-only, without setuid programs or devices', async () => {
  for (const kind of kinds) {
    await machine.activate('switch', imageOn(machine, kind, '/var/images/one'));
    const options = await machine.shell(`findmnt --noheadings --output OPTIONS ${MOUNTS}/* | tr , '\\n'`);
    expect(options.split('\n')).toEqual(expect.arrayContaining(['ro', 'nosuid', 'nodev']) as string[]);
    const { status } = await machine.run(['sh', '-c', 'echo x >>/etc/shown']);
    expect(status).not.toBe(0);
    writeFileSync(machine.on('/var/images/one/etc/shown'), `${kind}\n`);
  }
});
