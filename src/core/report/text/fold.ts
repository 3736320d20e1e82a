import { displayWidth } from './display';

/**
 * Breaks lines between words so that they fit a terminal; what follows a break is indented. Words stay whole: a path that is
 * wider than the terminal can still be copied.
 */
export function fold(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => (isBar(line) || displayWidth(line) <= columns ? line : foldLine(line, columns)))
    .join('\n');
}

/** What is written over again and again is as wide as it has to be. */
function isBar(line: string): boolean {
  return line.startsWith('\r');
}

function foldLine(line: string, columns: number): string {
  const indent = ' '.repeat(indentOf(line, columns));
  const lines: string[] = [];
  let current = /^ */u.exec(line)?.[0] ?? '';
  let isEmpty = true;
  for (const [, gap = '', word = ''] of line.trimStart().matchAll(/( *)(\S+)/gu)) {
    const longer = isEmpty ? current + word : current + gap + word;
    if (!isEmpty && displayWidth(longer) > columns) {
      lines.push(current);
      current = indent + word;
    } else current = longer;
    isEmpty = false;
  }
  return [...lines, current].join('\n');
}

/** Below what comes after a label such as `live     `, unless that leaves little room. */
function indentOf(line: string, columns: number): number {
  const label = /^ *\S+ {2,}/u.exec(line)?.[0].length ?? 0;
  const leading = /^ */u.exec(line)?.[0].length ?? 0;
  return label > 0 && label <= columns / 3 ? label : leading + 2;
}
