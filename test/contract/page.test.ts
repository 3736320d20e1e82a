import { describe, expect, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PathChange } from '../../src/core/report/change/change';
import { type Page, withPage } from '../support/browser';
import { absent, change, directory, file, hidden, link } from '../support/changes';
import { foundFile, path } from '../support/entries';
import { trickyNames } from '../support/names';
import { pageOf, tokensOf } from '../support/pages';
import { makeTemporaryDirectory, removeTree } from '../support/sandbox';

const numbered = Array.from({ length: 40 }, (_, index) => `option${index} = a value of some length ${index}\n`);

/** A text of forty lines, with some replaced. */
function text(replaced: Readonly<Record<number, string>>): ReturnType<typeof file> {
  return file(numbered.map((line, index) => replaced[index] ?? line).join(''));
}

const changes: readonly PathChange[] = [
  change('/etc/added', absent, file('a\n')),
  change('/etc/binary', file('a\0'), file('b\0')),
  change('/etc/directory', absent, directory(0o750)),
  change('/etc/kind', link('x'), file('a\n')),
  change('/etc/long', text({}), text({ 3: `${'x'.repeat(2000)}\n`, 20: '', 30: 'new\nnew\n' }), [
    'somebody changed this',
  ]),
  change(
    '/etc/markup',
    file('<b>a</b>\n'),
    file('<script>document.title = "x"</script>\n<img src="http://127.0.0.1:9/">\n'),
  ),
  change('/etc/secret', hidden('withheld', 3), hidden('withheld', 4)),
  ...trickyNames.map((name) => change(`/etc/names/${name}`, file(`${name}\n`), file(`\u202e${name}\u001b[31m\n`))),
];

const page = pageOf(changes, {
  conflicts: [{ path: path('/etc/own'), reason: 'unmanaged', found: foundFile() }],
  kept: [path('/etc/kept')],
});

/** Opens a page in Chromium. */
async function open<Result>(markup: string, task: (page: Page) => Promise<Result>): Promise<Result> {
  const directoryOfPage = makeTemporaryDirectory();
  try {
    const at = join(directoryOfPage, 'page.html');
    writeFileSync(at, markup);
    return await withPage(at, task);
  } finally {
    removeTree(directoryOfPage);
  }
}

/** Where an element is in the window. */
function place(selector: string): string {
  return `(({ left, top }) => [left, top].map(Math.round))(document.querySelector('${selector}').getBoundingClientRect())`;
}

/** The elements in the browser's tree, from its first to its last, as `tokensOf` has them. */
const ELEMENTS = `[...document.querySelectorAll('*')].map((each) => each.localName).filter((name) => name !== 'style')`;

describe('a page in Chromium', () => {
  test('is read as it was meant, asks for nothing, and says nothing on the console', async () => {
    await open(page, async (seen) => {
      expect(await seen.evaluate<string[]>(ELEMENTS)).toEqual(
        tokensOf(page).flatMap(({ kind, text: name }) => (kind === 'open' ? [name] : [])),
      );
      expect(await seen.evaluate<string>('document.compatMode + document.title')).toBe(
        'CSS1CompatChanges from generation 1 to generation 2',
      );
      const shown = `[...document.querySelectorAll('main h3')].map((each) => each.firstChild.data.trim())`;
      const headings = await seen.evaluate<string[]>(shown);
      expect(headings).toHaveLength(changes.length);
      expect(headings.slice(0, 3)).toEqual(['/etc/added', '/etc/binary', '/etc/directory/']);
      const leads = `[...document.querySelectorAll('nav a')].filter((each) => document.querySelector(each.hash) !== null).length`;
      expect(await seen.evaluate<number>(leads)).toBe(changes.length);
      await seen.evaluate('fetch("http://127.0.0.1:9/").catch(() => undefined)');
      expect(seen.messages.join('')).toContain('Content Security Policy');
      expect(seen.requests).toEqual([]);
    });
  });

  test('fits windows of every width, in both views, and is light or dark as asked', async () => {
    await open(page, async (seen) => {
      for (const view of ['unified', 'side'])
        for (const [width, scheme] of [
          [400, 'light'],
          [1400, 'dark'],
        ] as const) {
          await seen.show({ width, height: 900, scheme });
          await seen.evaluate(`document.getElementById('${view}').click()`);
          expect(await seen.evaluate<number>('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
          await keep(seen, `${view}-${width}-${scheme}`);
        }
      const ground = 'getComputedStyle(document.body).backgroundColor';
      expect(await seen.evaluate<string>(ground)).toBe('rgb(20, 23, 27)');
      await seen.evaluate(`document.getElementById('light').click()`);
      expect(await seen.evaluate<string>(ground)).toBe('rgb(255, 255, 255)');
      await seen.show({ width: 400, height: 900, scheme: 'light' });
      await seen.evaluate(`document.getElementById('dark').click()`);
      expect(await seen.evaluate<string>(ground)).toBe('rgb(20, 23, 27)');
      expect(seen.messages).toEqual([]);
    });
  });

  test('puts old and new beside each other, line by line', async () => {
    await open(page, async (seen) => {
      await seen.show({ width: 1400, height: 900, scheme: 'light' });
      const [before, after] = ['#c5 del', '#c5 ins'].map(place);
      const look = `[${before}, ${after}]`;
      const below = await seen.evaluate<[[number, number], [number, number]]>(look);
      expect(below[1][0]).toBe(below[0][0]);
      expect(below[1][1]).toBeGreaterThan(below[0][1]);
      await seen.evaluate(`document.getElementById('side').click()`);
      const beside = await seen.evaluate<[[number, number], [number, number]]>(look);
      expect(beside[1][0]).toBeGreaterThan(beside[0][0]);
      expect(beside[1][1]).toBe(beside[0][1]);
    });
  });

  test('can be used with the keyboard alone', async () => {
    await open(page, async (seen) => {
      const focus = '(({ localName, className, id }) => [localName, className, id].join(" "))(document.activeElement)';
      const stops: string[] = [];
      for (let press = 0; press < 6; press += 1) {
        await seen.press('Tab');
        stops.push(await seen.evaluate<string>(focus));
      }
      expect(stops).toEqual(['a skip ', 'a  ', 'a  ', 'a  ', 'input  unified', 'input  system']);
      await seen.press('ArrowRight');
      expect(await seen.evaluate<string>('getComputedStyle(document.documentElement).colorScheme')).toBe('light');
      await seen.press('ArrowRight');
      expect(await seen.evaluate<string>('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
      await seen.press('Tab');
      expect(await seen.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    });
  });

  test('tells screen readers what is where', async () => {
    await open(page, async (seen) => {
      const told = await seen.accessible();
      const named = (role: string): string[] => told.filter((each) => each.role === role).map(({ name }) => name);
      expect(named('banner')).toHaveLength(1);
      expect(named('navigation')).toEqual(['Changed paths']);
      expect(named('main')).toEqual(['Changes']);
      expect(named('radio')).toEqual(['unified', 'side by side', 'as the system', 'light', 'dark']);
      expect(named('heading').slice(0, 7)).toEqual([
        'Changes from generation 1 to generation 2',
        'Conflicts',
        'Backups to come, and other notes',
        "The machine's own stays",
        'Changed paths',
        'Changes',
        '/etc/added added +1 \u22120',
      ]);
      expect(named('group')).toContain('Changed lines of /etc/added');
      const start = told.findIndex(({ name }) => name === 'Changed lines of /etc/added');
      const texts = told.slice(start, start + 8).map(({ role, name }) => `${role} ${name}`.trim());
      expect(texts.filter((each) => !each.startsWith('InlineTextBox'))).toEqual([
        'group Changed lines of /etc/added',
        'paragraph',
        'StaticText @@ -0,0 +1 @@',
        'insertion',
        'StaticText a',
        'StaticText added',
      ]);
    });
  });

  test('of 5,000 changed files opens', async () => {
    const many = Array.from({ length: 5000 }, (_, index) =>
      change(
        `/etc/${index % 50}/${index}.conf`,
        text({}),
        text({ 4: 'new\n5\n', 25: `option25 = another ${index}\n` }),
      ),
    );
    const markup = pageOf(many);
    await open(markup, async (seen) => {
      const counts = `['main section', '*'].map((each) => document.querySelectorAll(each).length)`;
      const [sections, elements] = await seen.evaluate<[number, number]>(counts);
      expect(sections).toBe(5000);
      expect(seen.messages).toEqual([]);
      const size = `${(markup.length / 2 ** 20).toFixed(1)} MB, ${elements} elements`;
      console.log(`a page of 5000 changed files (${size}) is open in Chromium after ${Math.round(seen.loadedMs)} ms`);
    });
  });
});

/** Leaves a picture for whoever wants to look. */
async function keep(seen: Page, name: string): Promise<void> {
  const pictures = process.env['ACTIVATE_PICTURES'];
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  writeFileSync(join(pictures, `${name}.png`), await seen.screenshot());
}
