import { afterAll, beforeAll, expect, test } from 'bun:test';
import { writeMachineEtc } from '../support/disks/closures';
import { differences, type Look } from '../support/disks/look';
import { traceActivate } from '../support/disks/tracing';
import { BACKUP, type DiskMachine, FIRST, openDiskMachine, SECOND, unmountScript } from '../support/disks/disks';
import { removeTree } from '../support/sandbox';

/** At how many system calls a switch is killed. */
const KILLS = Number(process.env['KILLS'] ?? 12);
const ROOT = '/var/machine';
const GENTLE = '/var/closures/gentle';
const LAYERS = '/var/images/layers';
const ARGS = ['switch', GENTLE, ...BACKUP];

let machine: DiskMachine;
beforeAll(async () => {
  machine = await openDiskMachine();
  await machine.shell(`
    mkdir -p ${LAYERS}/lower ${ROOT} /var/images/switched
    mount -t tmpfs none ${LAYERS}/lower; mkdir -p ${LAYERS}/lower/etc ${LAYERS}/lower/run ${LAYERS}/lower/var/lib
    cp -a ${SECOND} ${GENTLE}; rm ${GENTLE}/etc/taken.d ${GENTLE}/etc/turned.d
  `);
  writeMachineEtc(machine.through(`${LAYERS}/lower/etc`));
  await withOverlay('fresh', async () => void (await machine.insistAt(ROOT, 'switch', FIRST, ...BACKUP)));
  await machine.shell(`cp -a ${LAYERS}/upper /var/images/switched/upper`);
});
afterAll(async () => machine.close());

/** On a machine what is kept as a backup was made at another time than what took its place; a copy makes both at once. */
const copyLater = `
  cp -a /var/images/switched/upper ${LAYERS}/upper
  rm -rf ${LAYERS}/upper/var/lib/activate/backups; sleep 0.02
  cp -a /var/images/switched/upper/var/lib/activate/backups ${LAYERS}/upper/var/lib/activate/backups`;

/** Mounts a tree whose lower layer is on another filesystem than the upper one, as on a machine that runs from an image. */
async function withOverlay<Result>(
  layers: 'fresh' | 'switched' | 'as left',
  task: () => Promise<Result>,
): Promise<Result> {
  if (layers !== 'as left') {
    removeTree(machine.on(`${LAYERS}/upper`));
    await machine.shell(`
      rm -rf ${LAYERS}/work; mkdir ${LAYERS}/work
      ${layers === 'fresh' ? `mkdir ${LAYERS}/upper` : copyLater}
    `);
  }
  await machine.shell(`
    mount -t overlay none -o lowerdir=${LAYERS}/lower,upperdir=${LAYERS}/upper,workdir=${LAYERS}/work ${ROOT}
    mount -t tmpfs none ${ROOT}/run
    if [ -L ${ROOT}/var/lib/activate/live ]; then
      ln -s /var/lib/activate/$(readlink ${ROOT}/var/lib/activate/live)/tree ${ROOT}/run/filesystem-overlay
    fi
  `);
  try {
    return await task();
  } finally {
    await machine.shell(unmountScript(ROOT));
  }
}

test('a switch that is killed is recovered from after the next boot, when inodes have other numbers', async () => {
  const calls: string[] = [];
  const { old, fresh } = await withOverlay('switched', async () => {
    const before = machine.lookAt(ROOT);
    const { status } = await traceActivate(machine, [...ARGS, '--root', ROOT], (_, call) => {
      calls.push(call);
      return 'go on';
    });
    expect(status).toBe(0);
    return { old: before, fresh: machine.lookAt(ROOT) };
  });
  const ends: Record<string, number> = {};
  const begun = calls.findIndex((call) => call.includes('RENAME_EXCHANGE')) - 12;
  for (let stop = begun; stop <= calls.length; stop += Math.max(1, Math.round((calls.length - begun) / KILLS))) {
    await withOverlay('switched', () =>
      traceActivate(machine, [...ARGS, '--root', ROOT], (at) => (at === stop ? 'kill' : 'go on')),
    );
    const { end, wrong } = await withOverlay('as left', () => recover({ old, fresh }));
    expect({ stop, call: calls[stop - 1], end, wrong }).toEqual({ stop, call: calls[stop - 1], end, wrong: [] });
    ends[end] = (ends[end] ?? 0) + 1;
  }
  console.log(`killed on overlayfs: ${JSON.stringify(ends)}`);
  expect(Object.keys(ends)).toContain('undone: old');
  expect(Object.keys(ends)).toContain('finished: new');
});

async function recover({ old, fresh }: Record<'old' | 'fresh', Look>): Promise<{ end: string; wrong: string[] }> {
  const { status, stdout, stderr } = await machine.activateAt(ROOT, 'resume', '--json', '--wait', '60');
  if (status !== 0 || stderr !== '') return { end: 'stuck', wrong: [`status ${status}: ${stderr}`] };
  const { state } = JSON.parse(stdout) as { state: string };
  const look = machine.lookAt(ROOT);
  const isOld = look.roles.live === old.roles.live;
  const wanted = isOld ? { ...old, times: true } : { ...fresh, times: false };
  return { end: `${state}: ${isOld ? 'old' : 'new'}`, wrong: differences(wanted, look) };
}
