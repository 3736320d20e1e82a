import { type Diff2HtmlConfig, html } from 'diff2html';
import type { DiffFile, DiffLine } from 'diff2html/lib/types';
import { textMarkup } from './markup';

/** Two lines that stand side by side, as markup; one of them may be missing. */
export interface Pair {
  readonly before?: string;
  readonly after?: string;
}

/**
 * Puts lines beside those that they became, with the words that differ between `<mark>` and `</mark>`.
 *
 * Comparing takes the square of what is compared: of long lines and of many the words are not looked for, and they are
 * beside each other as they come.
 *
 * @param before lines without their newlines, as people see them
 */
export function alignLines(before: readonly string[], after: readonly string[]): Pair[] {
  if (before.length === 0) return after.map((line) => ({ after: textMarkup(line) }));
  if (after.length === 0) return before.map((line) => ({ before: textMarkup(line) }));
  if (before.length * after.length > MOST_COMPARISONS) return pairsAsTheyCome(before, after);
  const [left = '', right = ''] = html([fileOf(before, after)], CONFIG).split(BETWEEN);
  const [lefts, rights] = [cellsOf(left), cellsOf(right)];
  return lefts.map((line, index) => {
    const counterpart = rights[index];
    if (line === undefined) return counterpart === undefined ? {} : { after: counterpart };
    if (counterpart === undefined) return { before: line };
    const isOther = isMostlyMarked(line) && isMostlyMarked(counterpart);
    return isOther
      ? { before: line.replaceAll(MARKS, ''), after: counterpart.replaceAll(MARKS, '') }
      : { before: line, after: counterpart };
  });
}

/** Beyond this all is new, and words that are alike say nothing. */
const MOST_COMPARISONS = 10_000;

function pairsAsTheyCome(before: readonly string[], after: readonly string[]): Pair[] {
  return Array.from({ length: Math.max(before.length, after.length) }, (_, index): Pair => {
    const [old, next] = [before[index], after[index]];
    if (old === undefined) return { after: textMarkup(next ?? '') };
    return next === undefined ? { before: textMarkup(old) } : { before: textMarkup(old), after: textMarkup(next) };
  });
}

/** Lines hold no control character but tabs: these are free for what stands around them. */
const BETWEEN = '\f';
const MISSING = '-';
const THERE = '+';

function cellsOf(side: string): (string | undefined)[] {
  return side
    .split('\n')
    .slice(0, -1)
    .map((row) => (row === MISSING ? undefined : row.slice(THERE.length).replaceAll(WORDS, '<$1mark>')));
}

const MARKS = /<\/?mark>/gu;

/** Lines that have little in common: marks would only be in the way. */
function isMostlyMarked(line: string): boolean {
  const rest = line.replaceAll(/<mark>.*?<\/mark>/gu, '').trim().length;
  return rest * 2 < line.replaceAll(MARKS, '').trim().length;
}

/** The text around is escaped: no tag is part of it. */
const WORDS = /<(\/?)(?:ins|del)>/gu;

function fileOf(before: readonly string[], after: readonly string[]): DiffFile {
  const removed = before.map((line, index) => ({ type: 'delete', content: `-${line}`, oldNumber: index + 1 }));
  const added = after.map((line, index) => ({ type: 'insert', content: `+${line}`, newNumber: index + 1 }));
  return {
    oldName: '',
    newName: '',
    addedLines: added.length,
    deletedLines: removed.length,
    isCombined: false,
    isGitDiff: true,
    language: '',
    blocks: [{ oldStartLine: 1, newStartLine: 1, header: '', lines: [...removed, ...added] as DiffLine[] }],
  };
}

/** What diff2html would print a table with; here the lines alone are wanted. */
const templates: Readonly<Record<string, { render: (parameters: Parameters) => string }>> = {
  'generic-block-header': { render: () => '' },
  'generic-line': { render: ({ content }) => `${content === undefined ? MISSING : THERE + content}\n` },
  'side-by-side-file-diff': { render: ({ diffs }) => `${diffs?.left}${BETWEEN}${diffs?.right}` },
  'generic-wrapper': { render: ({ content }) => content ?? '' },
};

interface Parameters {
  readonly content?: string;
  readonly diffs?: { readonly left: string; readonly right: string };
}

const CONFIG: Diff2HtmlConfig = {
  outputFormat: 'side-by-side',
  drawFileList: false,
  matching: 'lines',
  matchingMaxComparisons: 400,
  maxLineSizeInBlockForComparison: 200,
  maxLineLengthHighlight: 1000,
  compiledTemplates: templates,
};
