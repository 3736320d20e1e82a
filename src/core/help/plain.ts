import { displayWidth } from '../report/text/display';
import type { Block, Topic } from './topic';

const WIDEST = 80;
const INDENT = 2;
const MEANING_INDENT = 6;

/** A topic for a terminal, in lines that fit. */
export function renderPlain(topic: Topic, columns: number): string {
  const width = Math.max(30, Math.min(columns, WIDEST));
  const sections = topic.sections.map(({ title, blocks }) =>
    [title.toUpperCase(), ...blocks.map((block) => renderBlock(block, width))].join('\n'),
  );
  return `${sections.join('\n\n')}\n`;
}

function renderBlock(block: Block, width: number): string {
  switch (block.kind) {
    case 'text':
      return wrap(block.text, width, INDENT);
    case 'code':
      return `\n${block.text
        .trimEnd()
        .split('\n')
        .map((line) => (line === '' ? '' : ' '.repeat(INDENT * 2) + line))
        .join('\n')}\n`;
    case 'terms':
      return block.terms
        .map(([term, meaning]) => `${' '.repeat(INDENT)}${term}\n${wrap(meaning, width, MEANING_INDENT)}`)
        .join('\n');
  }
}

/** Breaks lines between words, which stay whole. */
function wrap(text: string, width: number, indent: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/u).filter(Boolean)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && indent + displayWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each).join('\n');
}
