import { type PathChange } from '../report/change/change';
import type { Preview } from '../report/preview';
import { adviceOn, describeConflict, plural } from '../report/report';
import type { Status } from '../report/summary';
import { changeMarkup, type Item, itemsOf, statusWords } from './changes';
import { nameMarkup, textMarkup } from './markup';
import { pathTreeMarkup } from './paths';
import { styleSheet } from './style';

/** When a page was made, ISO 8601 in UTC, and by which version of `activate`. */
export interface Making {
  readonly made: string;
  readonly version: string;
}

/**
 * A preview as one page for a browser, in pieces. It loads nothing, and needs no script: whoever opens it years later, or
 * without a network, sees the same.
 */
export function* renderPage(preview: Preview, making: Making): Generator<string> {
  const items = itemsOf(preview.changes);
  const title = `${sideText(preview.from)} to ${sideText(preview.to)}`;
  yield `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>${textMarkup(`Changes from ${title}`)}</title>\n`;
  yield HEAD;
  yield `<style>${styleSheet}</style>\n</head>\n<body>\n<a class="skip" href="#changes">Skip to the changes</a>\n`;
  yield `<header>\n<h1>Changes from ${textMarkup(title)}</h1>\n`;
  yield summaryMarkup(preview, items, making);
  yield `${CHOICES}</header>\n`;
  yield remarksMarkup(preview, items);
  yield `<div class="p">\n<nav aria-labelledby="paths">\n<h2 id="paths">Changed paths</h2>\n${pathTreeMarkup(items)}\n</nav>\n`;
  const shown = items.reduce((sum, { openLines }) => sum + openLines, items.length * LINES_ROUND_A_CHANGE);
  const many = shown > MOST_LAID_OUT ? ' class="many"' : '';
  yield `<main id="changes"${many} tabindex="-1" aria-labelledby="changes-title">\n<h2 id="changes-title">Changes</h2>\n`;
  if (items.length === 0) yield '<p>No path changes.</p>\n';
  for (const item of items) yield* changeMarkup(item);
  yield '</main>\n</div>\n</body>\n</html>\n';
}

/** How many lines a browser lays out without a wait. */
const MOST_LAID_OUT = 4000;
const LINES_ROUND_A_CHANGE = 5;

/** Should anything in the page ask for a script or for the network after all, browsers refuse. */
const HEAD = `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
`;

const CHOICES = `<div class="o">
<fieldset><legend>Lines</legend>
<label><input type="radio" name="view" id="unified" checked> unified</label>
<label><input type="radio" name="view" id="side"> side by side</label>
</fieldset>
<fieldset><legend>Colours</legend>
<label><input type="radio" name="colours" id="system" checked> as the system</label>
<label><input type="radio" name="colours" id="light"> light</label>
<label><input type="radio" name="colours" id="dark"> dark</label>
</fieldset>
</div>
`;

function sideText(side: number | string): string {
  if (typeof side === 'string') return side.slice(side.lastIndexOf('/') + 1) || side;
  return side === 0 ? 'nothing managed' : `generation ${side}`;
}

function summaryMarkup(
  { from, to, closures, conflicts, kept, unread }: Preview,
  items: readonly Item[],
  { made, version }: Making,
): string {
  const rows: [string, string][] = [
    ['From', endMarkup(from, closures.from)],
    ['To', endMarkup(to, closures.to)],
    [
      'Made',
      `<time datetime="${textMarkup(made)}">${textMarkup(made.slice(0, 19).replace('T', ' '))} UTC</time> by activate ${textMarkup(version)}`,
    ],
    ['Changes', countsText(items)],
  ];
  if (conflicts.length > 0)
    rows.push(['Conflicts', `<a href="#conflicts">${conflicts.length}</a>: a switch would change nothing`]);
  const noted = items.filter(isNoted).length;
  if (noted > 0) rows.push(['Notes', `<a href="#notes">${plural(noted, 'path')}</a>: backups to come, and more`]);
  if (kept.length > 0)
    rows.push(['Kept', `<a href="#kept">${plural(kept.length, 'path')}</a> where the machine's own stays`]);
  if (unread.length > 0) rows.push(['Not read', `<a href="#unread">${plural(unread.length, 'path')}</a>`]);
  return `<dl class="s">${rows.map(([term, text]) => `<dt>${term}</dt><dd>${text}</dd>\n`).join('')}</dl>\n`;
}

function endMarkup(side: number | string, closure: string | undefined): string {
  if (typeof side === 'string') return `<code>${nameMarkup(side)}</code>`;
  return `${sideText(side)}${closure === undefined ? '' : `, <code>${nameMarkup(closure)}</code>`}`;
}

function countsText(items: readonly Item[]): string {
  const counts = (['A', 'M', 'D', 'T'] as const).flatMap((status) => {
    const count = items.filter((item) => item.status === status).length;
    return count === 0 ? [] : [`${count} ${countWords[status]}`];
  });
  const [added, removed] = [sum(items, 'added'), sum(items, 'removed')];
  const lines = added + removed === 0 ? '' : `; ${plural(added, 'line')} added, ${removed} removed`;
  return `${plural(items.length, 'path')}${counts.length === 0 ? '' : `: ${counts.join(', ')}`}${lines}`;
}

const countWords: Readonly<Record<Status, string>> = { ...statusWords, T: 'of another kind' };

/** Notes are about backups to come, what comes back, and capabilities. */
function isNoted({ change }: Item): boolean {
  return change.notes.length > 0;
}

function sum(items: readonly Item[], side: 'added' | 'removed'): number {
  return items.reduce((total, { lines }) => total + lines[side], 0);
}

/** What is in the way, what is kept and comes back, what could not be read. */
function remarksMarkup({ conflicts, kept, unread }: Preview, items: readonly Item[]): string {
  const noted = items.filter(isNoted);
  const parts = [
    partMarkup(
      'conflicts',
      'Conflicts',
      conflicts.map((conflict) => rowMarkup(conflict.path, describeConflict(conflict))),
    ),
    adviceMarkup(conflicts),
    partMarkup('notes', 'Backups to come, and other notes', noted.map(noteMarkup)),
    partMarkup(
      'kept',
      "The machine's own stays",
      kept.map((path) => `<code>${nameMarkup(path)}</code>`),
    ),
    partMarkup(
      'unread',
      'Not read',
      unread.map(({ path, why }) => rowMarkup(path, why)),
    ),
  ].join('');
  return parts === '' ? '' : `<section aria-label="Remarks">\n${parts}</section>\n`;
}

/** Longer lists are folded up. */
const MOST_ROWS = 30;

function partMarkup(id: string, heading: string, rows: readonly string[]): string {
  if (rows.length === 0) return '';
  const list = `<ul>${rows.map((row) => `<li>${row}</li>\n`).join('')}</ul>`;
  const shown =
    rows.length <= MOST_ROWS ? list : `<details><summary>${plural(rows.length, 'path')}</summary>${list}</details>`;
  return `<h2 id="${id}">${heading}</h2>\n${shown}\n`;
}

function rowMarkup(path: string, text: string): string {
  return `<code>${nameMarkup(path)}</code>: ${textMarkup(text)}`;
}

function noteMarkup({ id, change }: { readonly id: string; readonly change: PathChange }): string {
  return `<a href="#${id}"><code>${nameMarkup(change.path)}</code></a>: ${change.notes.map(textMarkup).join('; ')}`;
}

function adviceMarkup(conflicts: Preview['conflicts']): string {
  return conflicts.length === 0 ? '' : `<pre class="w">${adviceOn(conflicts).map(textMarkup).join('\n')}</pre>\n`;
}
