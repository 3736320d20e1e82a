import type { PathChange } from '../../src/core/report/change/change';
import type { Preview } from '../../src/core/report/preview';
import { renderPage } from '../../src/core/page/page';

const nothing: Preview = {
  from: 1,
  to: 2,
  closures: { from: '/closures/a', to: '/closures/b' },
  changes: [],
  conflicts: [],
  unread: [],
  kept: [],
  touched: 0,
};

/** The page of some changes. */
export function pageOf(changes: readonly PathChange[], preview: Partial<Preview> = {}): string {
  const making = { made: '2026-01-02T03:04:05.678Z', version: '1.2.3' };
  return [...renderPage({ ...nothing, changes, ...preview }, making)].join('');
}

/** An element's tag or a text, as they follow each other in a page. */
export interface Token {
  readonly kind: 'open' | 'close' | 'text';
  /** The element's name, or the text with its character references resolved. */
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Elements that have no end. */
const VOID = new Set(['meta', 'link', 'input']);

/**
 * Reads a page that leaves nothing for a browser to guess: every element is closed, in the right order, and every attribute is
 * in quotes.
 */
export function tokensOf(page: string): Token[] {
  const tokens: Token[] = [];
  const open: string[] = [];
  const source = page.replace(/^<!DOCTYPE html>\n/u, '').replaceAll(/<style>[^<]*<\/style>/gu, '');
  for (const { index, groups = {} } of source.matchAll(
    /<(?<slash>\/?)(?<name>[a-z]\w*)(?<rest>(?:\s[a-z-]+(?:="[^"<>]*")?)*)>|(?<text>[^<>]+)|[<>]/gu,
  )) {
    const { slash, name = '', rest = '', text } = groups;
    if (text !== undefined) tokens.push({ kind: 'text', text: resolve(text), attributes: {} });
    else if (name === '') throw new Error(`this is no markup: ${source.slice(index, index + 200)}`);
    else if (slash === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing that is open`);
      tokens.push({ kind: 'close', text: name, attributes: {} });
    } else {
      if (!VOID.has(name)) open.push(name);
      tokens.push({ kind: 'open', text: name, attributes: attributesIn(rest) });
    }
  }
  if (open.length > 0) throw new Error(`never closed: ${open.join(' ')}`);
  return tokens;
}

function attributesIn(text: string): Record<string, string> {
  const all = text.matchAll(/\s([a-z-]+)(?:="([^"]*)")?/gu);
  return Object.fromEntries([...all].map(([, name = '', value = '']) => [name, resolve(value)]));
}

const NAMED: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"' };

/** The text that markup stands for. */
export function resolve(markup: string): string {
  return markup.replaceAll(
    /&(?:#(\d+)|#x([\dA-F]+)|(\w+));/gu,
    (all, decimal?: string, hex?: string, name?: string) => {
      if (name !== undefined) return NAMED[name] ?? all;
      return String.fromCodePoint(decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal));
    },
  );
}

/** The text in each element of a kind. */
export function textsIn(page: string, element: string): string[] {
  const texts: string[] = [];
  let deep = 0;
  for (const { kind, text } of tokensOf(page)) {
    if (kind === 'open' && text === element) {
      if (deep === 0) texts.push('');
      deep += 1;
    } else if (kind === 'close' && text === element) deep -= 1;
    else if (kind === 'text' && deep > 0) texts.push((texts.pop() ?? '') + text);
  }
  return texts;
}

const SIGNS: Readonly<Record<string, string>> = { span: ' ', del: '-', ins: '+' };

/** The lines of a page's diffs as a patch has them. */
export function diffLinesIn(page: string): string[] {
  const lines: string[] = [];
  let inside = 0;
  for (const { kind, text, attributes } of tokensOf(page)) {
    if (kind === 'open' && (attributes['data-o'] !== undefined || attributes['data-n'] !== undefined)) {
      lines.push(SIGNS[text] ?? '?');
      inside = 1;
    } else if (kind === 'open' && attributes['class'] === 'h') {
      lines.push('');
      inside = 1;
    } else if (kind === 'close' && text !== 'mark') inside = 0;
    else if (kind === 'text' && inside > 0) lines.push((lines.pop() ?? '') + text);
  }
  return lines;
}
