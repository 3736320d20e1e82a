import { afterEach, describe, expect, test } from 'bun:test';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { TargetPath } from '../../src/core/path';
import { readStatus } from '../../src/system/tree/reading';
import { newWatcher, type Watched, type Watcher } from '../../src/system/watcher';
import { waitFor, watchesOf } from '../support/watching';
import { at, useTemporaryRoot } from './temporary-root';

const root = useTemporaryRoot();
let watcher: Watcher | undefined;

afterEach(async () => {
  await watcher?.close();
  watcher = undefined;
});

/** Starts to watch, and returns what is heard as it comes. */
async function watch(...paths: readonly string[]): Promise<Set<string>> {
  const heard = new Set<string>();
  watcher = newWatcher((directory: TargetPath, name) => void heard.add(`${directory} ${name ?? '?'}`));
  expect(await watcher.watchOnly(root.current, paths.map(watched))).toBe('more');
  return heard;
}

function watched(path: string): Watched {
  return { path: at(path), identity: readStatus(root.current, at(path))?.identity ?? '' };
}

async function comes(heard: ReadonlySet<string>, what: string): Promise<void> {
  await waitFor(
    () => heard.has(what),
    () => [...heard].join(', '),
  );
}

describe('a watcher', () => {
  test('hears of names that come, go and change, and not of what is below', async () => {
    mkdirSync(root.on('/a/below'), { recursive: true });
    const heard = await watch('/a');
    writeFileSync(root.on('/a/below/x'), 'x');
    writeFileSync(root.on('/a/x'), 'x');
    await comes(heard, '/a x');
    renameSync(root.on('/a/x'), root.on('/a/y'));
    await comes(heard, '/a y');
    rmSync(root.on('/a/y'));
    expect([...heard].filter((each) => !each.startsWith('/a '))).toEqual([]);
  });

  test('takes one watch for a directory, however much is in it, and gives it back', async () => {
    const before = watchesOf('self');
    for (const name of ['a', 'b']) {
      mkdirSync(root.on(`/${name}`));
      for (let count = 0; count < 50; count += 1) writeFileSync(root.on(`/${name}/${count}`), 'x');
    }
    await watch('/a', '/b');
    expect(watchesOf('self') - before).toBe(2);
    expect(await watcher?.watchOnly(root.current, [watched('/a')])).toBe('as before');
    await waitFor(
      () => watchesOf('self') - before === 1,
      () => `${watchesOf('self') - before} watches`,
    );
  });

  test('watches another directory that comes in the place of one', async () => {
    mkdirSync(root.on('/a'));
    const heard = await watch('/a');
    renameSync(root.on('/a'), root.on('/old'));
    mkdirSync(root.on('/a'));
    expect(await watcher?.watchOnly(root.current, [watched('/a')])).toBe('more');
    heard.clear();
    writeFileSync(root.on('/old/not-heard'), 'x');
    writeFileSync(root.on('/a/heard'), 'x');
    await comes(heard, '/a heard');
    expect(heard.has('/a not-heard')).toBe(false);
  });

  test.each(['back\\slash', 'bytes-\udcff', 'with space', '*', 'ends-with~', '.x.swp'])(
    'watches directories of any name, and names in them: %j',
    async (name) => {
      const path = name.includes('\udcff') ? Buffer.from(root.on('/bytes-\xff'), 'latin1') : root.on(`/${name}`);
      mkdirSync(path);
      const heard = await watch(`/${name}`);
      writeFileSync(Buffer.concat([Buffer.from(path), Buffer.from('/file~')]), 'x');
      await comes(heard, `/${name} file~`);
      expect(watcher?.failures().size).toBe(0);
    },
  );

  test('never polls, whatever the environment says', async () => {
    process.env['CHOKIDAR_USEPOLLING'] = '1';
    const before = watchesOf('self');
    mkdirSync(root.on('/a'));
    await watch('/a');
    expect(watchesOf('self') - before).toBe(1);
  });

  test('says which directories it cannot watch, and watches the others', async () => {
    mkdirSync(root.on('/a'));
    const heard = await watch('/a', '/back\\slash-nothing');
    expect([...(watcher?.failures() ?? [])]).toEqual([[root.on('/back\\slash-nothing') as never, 'ENOENT']]);
    writeFileSync(root.on('/a/x'), 'x');
    await comes(heard, '/a x');
  });
});
