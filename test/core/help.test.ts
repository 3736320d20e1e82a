import { describe, expect, test } from 'bun:test';
import { renderPlain } from '../../src/core/help/plain';
import { renderRoff } from '../../src/core/help/roff';
import { topics } from '../../src/core/help/topics';
import { exitStatuses } from '../../src/core/errors';
import { displayWidth } from '../../src/core/report/text/display';

const widthOf = (text: string): number => Math.max(...text.split('\n').map(displayWidth));

describe('a topic', () => {
  test.each([...topics])('fits a terminal of 80 columns and one of 40: $name', (topic) => {
    expect(widthOf(renderPlain(topic, 200))).toBeLessThanOrEqual(80);
    const words = JSON.stringify(topic).split(/\s|\\n/u);
    // Words are not broken.
    const longest = Math.max(...words.map(displayWidth)) + 6;
    expect(widthOf(renderPlain(topic, 40))).toBeLessThanOrEqual(Math.max(40, longest));
  });

  test('is text with headings, terms and code', () => {
    const blocks = [
      { kind: 'text', text: 'one two three four five six' },
      { kind: 'terms', terms: [['a term', 'what it means']] },
      { kind: 'code', text: 'as = "it is"\n\n  so\n' },
    ] as const;
    expect(renderPlain({ name: 'x', summary: '', sections: [{ title: 'Heading', blocks }] }, 10)).toBe(
      'HEADING\n  one two three four five six\n  a term\n      what it means\n\n    as = "it is"\n\n      so\n\n',
    );
  });

  test('of exit statuses names each that there is', () => {
    const terms = topics.flatMap(({ sections }) => sections.flatMap(({ blocks }) => blocks));
    const named = terms.flatMap((block) => (block.kind === 'terms' ? block.terms.map(([term]) => term) : []));
    for (const status of new Set<number>(Object.values(exitStatuses))) expect(named).toContain(String(status));
  });
});

test('a page of the manual has what roff would take for its own as it is typed', () => {
  const text = '.dot \'quote\' "double" back\\slash a-b `c` ~ ^';
  const page = renderRoff({
    name: 'x-y',
    chapter: 5,
    summary: 'a "summary"',
    version: '1',
    sections: [{ title: 'A', blocks: [{ kind: 'text', text }] }],
  });
  expect(page.split('\n')).toEqual([
    '.TH "X\\-Y" 5 "" "activate 1"',
    '.SH NAME',
    'x\\-y \\- a "summary"',
    '.SH "A"',
    '.PP',
    '\\&.dot \\(aqquote\\(aq "double" back\\eslash a\\-b \\(gac\\(ga \\(ti \\(ha',
    '',
  ]);
});
