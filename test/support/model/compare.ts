import type { ModelClosure } from './closure';
import { differences, pointerOf, readFiles, readRecords, relativeTo } from './machine';
import type { Files, Model } from './state';
import type { Sandbox } from '../sandbox';
import { bytesOf } from '../trees';

/** In which way the machine is not as the model says. */
export function compare(sandbox: Sandbox, model: Model): string[] {
  const files = differences(model.files, readFiles(sandbox.on('/etc'), '/etc'));
  const { generations, live: number, default: next, backups, litter } = readRecords(sandbox);
  const said = {
    generations: [...model.generations.keys()].toSorted((a, b) => a - b),
    live: model.live,
    default: model.default,
  };
  const is = { generations, live: number, default: next };
  const records =
    JSON.stringify(said) === JSON.stringify(is)
      ? []
      : [`expected ${JSON.stringify(said)}, found ${JSON.stringify(is)}`];
  const saved = model.saved.map(({ path, things }) => relativeTo(things, path));
  return [...files, ...records, ...compareBackups(saved, backups), ...litter, ...shownWrongly(sandbox, model)];
}

/** The same ones, in whatever order. */
function compareBackups(expected: readonly Files[], found: readonly Files[]): string[] {
  const left = [...found];
  const missing = expected.filter((want) => {
    const index = left.findIndex((is) => differences(want, is).length === 0);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
  return [
    ...missing.map((files) => `no backup holds ${JSON.stringify([...files])}`),
    ...left.map((files) => `nobody knows of the backup of ${JSON.stringify([...files])}`),
  ];
}

/** Links through the pointer that do not show what the live generation has there. */
function shownWrongly(sandbox: Sandbox, model: Model): string[] {
  const pointer = pointerOf(sandbox);
  if (model.live === 0) return pointer === '' ? [] : ['a pointer is left'];
  const wanted = model.generations.get(model.live)?.wanted ?? new Map();
  return [...model.files].flatMap(([path, thing]) => {
    const shown = wanted.get(path)?.shown;
    if (thing.kind !== 'symlink' || thing.text !== `/run/filesystem-overlay${path}` || shown === undefined) return [];
    const files = readFiles(Buffer.concat([Buffer.from(sandbox.root), bytesOf(`${pointer}${path}`)]), path);
    return differences(thingsOf(shown, path), files);
  });
}

function thingsOf(node: ModelClosure['tree'][string], path: string): Files {
  if (node.kind === 'symlink') return new Map([[path, { kind: 'symlink', text: node.linkText }]]);
  if (node.kind === 'file') return new Map([[path, node]]);
  const below = Object.entries(node.children).flatMap(([name, child]) =>
    thingsOf(child, `${path}/${name}`).entries().toArray(),
  );
  return new Map([[path, { kind: 'directory', mode: node.mode }], ...below]);
}
