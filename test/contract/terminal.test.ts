import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { rmSync, writeFileSync } from 'node:fs';
import { writeClosure } from '../support/closures';
import { openMachine, type TestMachine } from '../support/machine';

// What people see in a terminal, as tmux captures it.

let machine: TestMachine;
beforeAll(async () => {
  machine = await openMachine();
  const sandbox = { root: machine.root, on: machine.on, remove: () => undefined };
  writeClosure(sandbox, 'one', { 'etc/motd': 'one\n', 'etc/中文/文件': '一\n', 'etc/gone': '' });
  writeClosure(sandbox, 'two', { 'etc/motd': 'two\n', 'etc/中文/文件': '二\n' });
  writeClosure(sandbox, 'three', { 'etc/hosts': 'ours\n', 'etc/passwd': '' });
  await machine.activate('switch', '/closures/one');
  await machine.activate('boot', '/closures/two');
  rmSync(machine.on('/etc/motd'));
  await machine.activate('generate', '/closures/one', '--output', '/var/bundle', '--image', 'squashfs');
});
afterAll(async () => machine.close());

let sessions = 0;

/** The lines that a command leaves on a terminal, and its exit status; lines that the terminal broke are whole again. */
async function look(
  command: string,
  columns: number,
  meanwhile: (line: string) => void = () => undefined,
): Promise<{ lines: string[]; status: number }> {
  sessions += 1;
  const socket = `/var/tmux-${sessions}`;
  writeFileSync(
    machine.on('/var/command'),
    `PS1=; clear; ${command}; echo "status $?"; touch ${socket}.done; sleep 60\n`,
  );
  const text = await machine.shell(`
    export TERM=xterm-256color LC_ALL=C.UTF-8
    tmux -f /dev/null -S ${socket} new-session -d -x ${columns} -y 60 'bash --norc /var/command'
    for _ in $(seq 1000); do
      [ -e ${socket}.done ] && break
      tmux -S ${socket} capture-pane -p | sed -n 's/^./meanwhile: &/p'; sleep 0.05
    done
    sleep 0.2
    echo 'at last:'
    tmux -S ${socket} capture-pane -p -J -S -
    tmux -S ${socket} kill-server`);
  const [before = '', after = ''] = text.split('at last:\n', 2);
  for (const line of before.split('\n')) meanwhile(line.slice('meanwhile: '.length).trimEnd());
  const lines = after.split('\n').map((line) => line.trimEnd());
  const end = lines.findLastIndex((line) => line.startsWith('status '));
  return { lines: lines.slice(0, end), status: Number(lines[end]?.slice('status '.length)) };
}

const widthOf = (line: string): number => Bun.stringWidth(line);

/** Longer lines are those of a single word, such as a path, with what stands before it. */
function tooLong(lines: readonly string[], columns: number): string[] {
  return lines.filter((line) => widthOf(line) > columns && line.trim().includes(' '));
}

describe.each([80, 40])('in %i columns', (columns) => {
  test.each([
    ['status', 'activate status', 0],
    ['list', 'activate list', 0],
    ['diff --stat', 'activate diff /closures/two --stat', 0],
    ['what is in the way', 'activate switch /closures/three', 3],
    ['what a switch would do', 'activate switch /closures/three --dry-run | tail -5', 0],
    ['an error', 'activate switch /closures/none', 65],
    ['an error of usage', 'activate swich', 2],
    ['verify', 'activate verify', 1],
    ['help of a topic', 'activate help policy', 0],
    ['help of a command', 'activate switch --help', 0],
  ])('%s fits', async (_, command, status) => {
    const seen = await look(command, columns);
    expect(seen.lines.filter(Boolean).length).toBeGreaterThan(0);
    expect(tooLong(seen.lines, columns)).toEqual([]);
    if (!command.includes('|')) expect(seen.status).toBe(status);
  });
});

test('the status is on one screen, and says what drifted and what the default would change', async () => {
  const { lines } = await look('activate status', 80);
  expect(lines.length).toBeLessThan(24);
  const text = lines.join('\n');
  expect(text).toContain('live     generation 1');
  expect(text).toContain('default  generation 2');
  expect(text).toMatch(/^ {2}D [AM] {2}\/etc\/motd$/mu);
  expect(text).toMatch(/^ {4}M {2}\/etc\/中文\/文件$/mu);
});

test('columns are aligned below names that take two cells a character', async () => {
  const { lines } = await look('activate diff /closures/two --stat', 80);
  const bars = lines.filter((line) => line.includes(' | ')).map((line) => widthOf(line.slice(0, line.indexOf(' | '))));
  expect(bars.length).toBeGreaterThan(1);
  expect(new Set(bars).size).toBe(1);
});

test.each([80, 40])(
  'what takes longer than a second has a bar in one line of %i columns, which goes when it is over',
  async (columns) => {
    await machine.shell(`mkdir -p /closures/large/etc; cd /closures/large/etc
      [ -e 1 ] || seq 20000 | xargs touch; rm -rf /var/large
      mkdir -p /slow; printf '#!/bin/sh\\nsleep 2; exec /usr/bin/mksquashfs "$@"\\n' >/slow/mksquashfs; chmod +x /slow/*`);
    const bars = new Set<string>();
    const looking = look(
      'PATH=/slow:$PATH activate generate /closures/large --output /var/large --image squashfs',
      columns,
      (line) => bars.add(line),
    );
    const { lines } = await looking;
    expect(lines.filter(Boolean).join(' ')).toStartWith('/var/large: 20001 paths, squashfs of ');
    const shown = [...bars].filter((line) => line.includes(' %'));
    expect(shown.length).toBeGreaterThan(0);
    for (const line of shown) {
      expect(line).toMatch(/^image\.squashfs {2}\[=*>? *\] +\d+ %$/u);
      expect(widthOf(line)).toBeLessThan(columns);
    }
  },
);

test('a misspelt command is told what it may have been', async () => {
  const { lines } = await look('activate swich', 80);
  expect(lines.join('\n')).toContain('Did you mean switch?');
});

test('there is no pager and no progress where it is over at once, and colours are on', async () => {
  const { lines } = await look('activate generate /closures/one --output /var/again --image squashfs', 80);
  expect(lines.filter(Boolean)).toEqual([expect.stringContaining('squashfs') as string]);
  const { lines: coloured } = await look('activate diff /closures/two | cat -v; activate diff 0 >/dev/null', 80);
  expect(coloured.join('')).not.toContain('^[[');
});
