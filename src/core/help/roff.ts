import type { Block, Section } from './topic';

/** A page of the manual. */
export interface Page {
  readonly name: string;
  /** 1 for commands, 5 for files. */
  readonly chapter: number;
  readonly summary: string;
  readonly version: string;
  readonly sections: readonly Section[];
}

/**
 * A page of the manual, as man(1) takes it.
 *
 * @see groff_man(7)
 */
export function renderRoff({ name, chapter, summary, version, sections }: Page): string {
  return [
    `.TH ${argument(name.toUpperCase())} ${chapter} "" ${argument(`activate ${version}`)}`,
    '.SH NAME',
    `${escape(name)} \\- ${escape(summary)}`,
    ...sections.flatMap(({ title, blocks }) => [
      `.SH ${argument(title.toUpperCase())}`,
      ...blocks.flatMap(renderBlock),
    ]),
    '',
  ].join('\n');
}

function renderBlock(block: Block): string[] {
  switch (block.kind) {
    case 'text':
      return ['.PP', ...lines(block.text)];
    case 'code':
      return ['.PP', '.RS 4', '.nf', ...lines(block.text.trimEnd()), '.fi', '.RE'];
    case 'terms':
      return block.terms.flatMap(([term, meaning]) => ['.TP', `.B ${argument(term)}`, ...lines(meaning)]);
  }
}

function lines(text: string): string[] {
  // A line that begins with a dot or an apostrophe would be a request.
  return text.split('\n').map((line) => escape(line).replace(/^(?=[.'])/u, String.raw`\&`) || String.raw`\&`);
}

function argument(text: string): string {
  return `"${escape(text).replaceAll('"', String.raw`\(dq`)}"`;
}

/** Hyphens, quotes and backslashes as they are typed, and not as typesetting has them. */
function escape(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replaceAll("'", String.raw`\(aq`)
    .replaceAll('`', String.raw`\(ga`)
    .replaceAll('^', String.raw`\(ha`)
    .replaceAll('~', String.raw`\(ti`);
}
