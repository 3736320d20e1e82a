import { describe, expect, test } from 'bun:test';
import { dark, light, type Palette } from '../../../src/core/page/style';

/** @see WCAG 2.2, relative luminance */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [more = 0, less = 0] = [luminance(a), luminance(b)].toSorted((x, y) => y - x);
  return (more + 0.05) / (less + 0.05);
}

const grounds = ['page', 'panel', 'added', 'removed', 'addedWords', 'removedWords', 'warning'] as const;
const pairs: [keyof Palette, keyof Palette][] = [
  ...grounds.map((ground): [keyof Palette, keyof Palette] => ['text', ground]),
  ['faint', 'page'],
  ['faint', 'panel'],
  ['faint', 'added'],
  ['faint', 'removed'],
  ['link', 'page'],
];

describe.each([
  ['light', light],
  ['dark', dark],
])('the %s colours', (_, palette) => {
  test.each(pairs)('%s is legible on %s', (text, ground) => {
    expect(contrast(palette[text], palette[ground])).toBeGreaterThanOrEqual(4.5);
  });
});
