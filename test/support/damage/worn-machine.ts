import { spawnSync } from 'node:child_process';
import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Step } from '../../../src/core/plan/step';
import { withMachine } from '../../../src/engine/state/machine';
import { prepareTransition } from '../../../src/engine/deciding/prepare';
import { carryOut } from '../../../src/engine/transition/transition';
import { insistOn } from '../cli';
import { type Contents, writeClosure, writeContents } from '../closures';
import { closureAt, contextOn } from '../engine';
import { makeSandbox, removeTree, type Sandbox } from '../sandbox';
import { resealed } from '../seal';

export const STATE = '/var/lib/activate';
export const JOURNAL = `${STATE}/transition.json`;

/** What no generation names, inside of /etc and out of it: nothing may happen to any of it. */
export const strangers: Contents = {
  'etc/own': { file: 'own\n', mode: 0o640, uid: 12 },
  'etc/own.d/x': { file: 'x of own.d\n', mode: 0o600 },
  'etc/own.d/link': { link: '../own' },
  'etc/own-empty': { directory: 0o750, uid: 12 },
  'etc/d/stranger': 'a stranger in a directory of ours\n',
  'etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n',
  'etc/group': 'root:x:0:\ndaemon:x:1:\n',
  'etc/shadow': { file: 'root:*:19000:0:99999:7:::\n', mode: 0o640 },
  'root/canary': { file: 'canary of root\n', mode: 0o600 },
  'root/link': { link: 'canary' },
  'usr/bin/canary': { file: 'canary of usr\n', mode: 0o4755 },
  'usr/lib/os-release': 'ID=test\n',
  'home/alice/canary': { file: 'canary of alice\n', mode: 0o600, uid: 1000 },
  'home/alice/empty': { directory: 0o700, uid: 1000 },
  'var/log/canary': 'canary of var\n',
};

/** What the machine had at paths that closures take over, and what people made of ours: it is somewhere at any time. */
export const originals: Contents = {
  'etc/motd': { file: 'the motd of the machine\n', mode: 0o600 },
  'etc/hosts': 'the hosts of the machine\n',
  'etc/kept': 'kept by the machine\n',
  'etc/conf.d/local': 'local\n',
  'etc/adopted/': { directory: 0o750, uid: 12 },
};

const EDIT = 'an edit of the copy\n';

/** The contents that must not be lost, whatever path they are at. */
export const treasures: readonly string[] = [
  ...Object.values({ ...strangers, ...originals }).flatMap((content) =>
    typeof content === 'string' ? [content] : 'file' in content ? [content.file] : [],
  ),
  EDIT,
];

const policy = `schema = 1
[[path]]
match = "/etc/copy*"
place = "copy"
[[path]]
match = "/etc/named"
mode = "0711"
[[path]]
match = "/etc/kept"
on-conflict = "keep"
`;

const shared: Contents = {
  'activation.toml': policy,
  'etc/secret': { file: 'key\n', mode: 0o600 },
  'etc/link': { link: 'own' },
  'etc/adopted/a': 'a\n',
  'etc/kept': 'kept by the closure\n',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
};

const closures: Readonly<Record<string, Contents>> = {
  one: { ...shared, 'etc/motd': 'one\n', 'etc/hosts': 'one\n', 'etc/copy': '1\n', 'etc/d/e': '1\n', 'etc/gone': '1\n' },
  two: {
    ...shared,
    'activation.toml': `${policy}on-drift = "keep"\n`,
    'etc/motd': 'two\n',
    'etc/copy': '2\n',
    'etc/copy2': '2\n',
    'etc/d/e': '2\n',
    'etc/named/n': '2\n',
    'etc/gone2/x': '2\n',
  },
  // It gives back what two took over, takes over what two gave back, and changes kinds.
  three: {
    ...shared,
    'activation.toml': policy.replace('0711', '0700'),
    'etc/hosts': 'three\n',
    'etc/copy': '3\n',
    'etc/copy3': '3\n',
    'etc/d/e': { link: '../own' },
    'etc/conf.d': { link: 'own.d' },
    'etc/named/n': '3\n',
    'etc/new/n': '3\n',
    'etc/secret': { file: 'another key\n', mode: 0o600 },
  },
};

/** A machine with two generations and a history: things taken over, given back, kept and edited. */
export async function wearMachine(): Promise<Sandbox> {
  const sandbox = makeSandbox();
  const activate = insistOn(sandbox);
  writeContents(sandbox.root, strangers);
  writeContents(sandbox.root, originals);
  for (const [name, contents] of Object.entries(closures)) writeClosure(sandbox, name, contents);
  await activate('switch', 'closures/one', '--on-conflict', 'backup');
  writeFileSync(sandbox.on('/etc/copy'), EDIT);
  await activate('switch', 'closures/two', '--on-conflict', 'backup');
  return sandbox;
}

/** Where a transition is hit: in which part of the work, before which of the steps of that part. */
export type Moment = 'create' | 'swap' | 'remove' | 'undo';

/** The worn machine, hit by a power cut on the way to a third closure. */
export async function interruptMachine(sandbox: Sandbox, moment: Moment): Promise<Sandbox> {
  const context = contextOn(sandbox.root);
  const hit = copyMachine(sandbox);
  const live = copyMachine(sandbox);
  let copied = false;
  await withMachine({ ...context, root: live.root }, async (machine) => {
    const options = { onConflict: 'backup', onDrift: 'backup' } as const;
    const target = closureAt(live.on('/closures/three'));
    const prepared = prepareTransition(context, machine, target, options);
    let failing = false;
    const transition = carryOut(context, machine, prepared, 'live and default', (perform) => async (step: Step) => {
      if (copied) return perform(step);
      if (isMoment(step, moment, failing)) {
        copyTree(live, hit);
        copied = true;
        return perform(step);
      }
      if (moment === 'undo' && step.op === 'remove') {
        failing = true;
        throw new Error('the disk is on fire');
      }
      return perform(step);
    });
    await transition.catch((error: unknown) => {
      if (!failing) throw error;
    });
  });
  live.remove();
  if (!copied) throw new Error(`no step of the moment ${moment}`);
  return hit;
}

/** In the middle of the part, so that something of it is done and something is not. */
function isMoment(step: Step, moment: Moment, failing: boolean): boolean {
  if (moment === 'undo') return failing && step.op === 'point';
  if (moment === 'create') return step.op === 'fetch';
  return step.op === (moment === 'swap' ? 'point' : 'remove');
}

/** The same machine once more; the journal knows the objects of the copy. */
export function copyMachine(sandbox: Sandbox): Sandbox {
  const copy = makeSandbox();
  copyTree(sandbox, copy);
  return copy;
}

function copyTree(from: Sandbox, to: Sandbox): void {
  removeTree(to.root);
  const { status, stderr } = spawnSync('cp', ['-a', '--reflink=auto', '--', from.root, to.root], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  const journal = join(to.root, JOURNAL);
  if (lstatSync(journal, { throwIfNoEntry: false })?.isFile() !== true) return;
  rebear(to);
  const bytes = adaptedTo(from, to)(readFileSync(journal));
  rmSync(journal);
  writeFileSync(journal, bytes, { mode: 0o600 });
}

/** A journal tells staged objects by their birth, and a copy of the machine has others: what makes the one of the other. */
export function adaptedTo(from: Sandbox, to: Sandbox): (bytes: Buffer) => Buffer {
  const journal = join(from.root, JOURNAL);
  if (lstatSync(journal, { throwIfNoEntry: false })?.isFile() !== true) return (bytes) => bytes;
  const { identities, phases } = JSON.parse(readFileSync(journal, 'utf8')) as {
    readonly identities: Readonly<Record<string, string>>;
    readonly phases: { readonly swap: readonly { readonly path?: string; readonly aside?: string }[] };
  };
  const renumbered = Object.entries(identities).map(([aside, identity]) => {
    const path = phases.swap.find((step) => step.aside === aside)?.path ?? aside;
    const place = [aside, path].find((each) => identityIn(from, each, identity) === identity);
    return [aside, identity, (place === undefined ? undefined : identityIn(to, place, identity)) ?? identity] as const;
  });
  // Piece by piece: the journal may be damaged, and what was born in one instant has one name.
  return (bytes) => {
    const adapted = renumbered.reduce(
      (text, [aside, before, after]) =>
        Buffer.from(text.toString('latin1').replace(`"${aside}":"${before}"`, `"${aside}":"${after}"`), 'latin1'),
      bytes,
    );
    return resealed(bytes, adapted);
  };
}

/** How a journal names an object: by its birth, where the filesystem knows that, else by its inode. */
function identityIn(sandbox: Sandbox, path: string, like: string): string | undefined {
  const status = lstatSync(sandbox.on(path), { bigint: true, throwIfNoEntry: false });
  if (status === undefined) return undefined;
  return like.startsWith('born ') ? `born ${status.birthtimeNs}` : `inode ${status.ino}`;
}

/** What a copy makes in one instant is all born at once: what is aside is made again, so that it is told from the rest. */
function rebear({ root }: Sandbox): void {
  Bun.sleepSync(10);
  const script =
    'find etc -depth -name ".activate.*" | while read -r f; do cp -a "$f" etc/.again; rm -rf "$f"; mv etc/.again "$f"; done';
  spawnSync('sh', ['-c', script], { cwd: root });
}
