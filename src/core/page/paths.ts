import { comparePaths } from '../path';
import { badgeMarkup, type Item, linesMarkup } from './changes';
import { nameMarkup } from './markup';

/** A directory with changes in it. */
interface Branch {
  readonly branches: Map<string, Branch>;
  readonly items: { readonly name: string; readonly item: Item }[];
}

/** Deeper than this a tree is no help, and browsers do not nest without end. */
const MOST_DEEP = 12;
/** More paths than this are folded up, but for the topmost directories. */
const MOST_UNFOLDED = 300;

/** The changed paths as a tree of links to what is said of them. */
export function pathTreeMarkup(items: readonly Item[]): string {
  const top: Branch = { branches: new Map(), items: [] };
  for (const item of items) plant(top, item);
  return branchMarkup(top, { deep: 0, open: items.length <= MOST_UNFOLDED });
}

function plant(top: Branch, item: Item): void {
  const names = item.change.path.split('/').slice(1);
  let branch = top;
  for (const [deep, name] of names.slice(0, -1).entries()) {
    if (deep === MOST_DEEP) break;
    const next: Branch = branch.branches.get(name) ?? { branches: new Map(), items: [] };
    branch.branches.set(name, next);
    branch = next;
  }
  branch.items.push({ name: names.slice(Math.min(names.length - 1, MOST_DEEP)).join('/'), item });
}

interface Look {
  readonly deep: number;
  readonly open: boolean;
}

function branchMarkup({ branches, items }: Branch, look: Look): string {
  const leaves = items.map(({ name, item }) => ({ name, markup: leafMarkup(name, item) }));
  const folds = [...branches].map(([name, branch]) => ({ name, markup: foldMarkup(name, branch, look) }));
  // A directory that changes stands before what changes in it.
  const rows = [...leaves, ...folds].toSorted((a, b) => comparePaths(a.name, b.name));
  return `<ul>${rows.map(({ markup }) => `<li>${markup}</li>\n`).join('')}</ul>`;
}

function leafMarkup(name: string, { id, status, lines, change }: Item): string {
  const isDirectory = change.before.kind === 'directory' || change.after.kind === 'directory';
  const shown = nameMarkup(isDirectory ? `${name}/` : name);
  return `<a href="#${id}">${shown}</a> ${badgeMarkup(status)} ${linesMarkup(lines)}`;
}

/** Directories with nothing else in them are one. */
function foldMarkup(name: string, branch: Branch, { deep, open }: Look): string {
  let [path, at] = [deep === 0 ? `/${name}` : name, branch];
  while (at.items.length === 0 && at.branches.size === 1) {
    const [only] = at.branches;
    if (only === undefined) break;
    path = `${path}/${only[0]}`;
    at = only[1];
  }
  const count = countItems(at);
  const inside = branchMarkup(at, { deep: deep + 1, open });
  return `<details${open || deep === 0 ? ' open' : ''}><summary><code>${nameMarkup(`${path}/`)}</code> <span class="k">${count}</span></summary>${inside}</details>`;
}

function countItems({ branches, items }: Branch): number {
  return branches.values().reduce((sum, branch) => sum + countItems(branch), items.length);
}
