import { expect, test } from 'bun:test';
import { differencesOf, lastingDifferences } from '../support/vm/comparing';

test('what one machine has and the other has not is a difference, in both directions', () => {
  const differences = differencesOf({ units: ['a', 'b'], modules: ['loop'] }, { units: ['b', 'c'], failed: ['x'] });
  expect(differences).toEqual(['failed: + x', 'modules: - loop', 'units: - a', 'units: + c']);
});

test.each([
  { first: [], second: undefined, lasting: [] },
  { first: ['units: + a'], second: [], lasting: [] },
  { first: ['units: + a'], second: ['units: + a'], lasting: ['units: + a'] },
  // Another one is no better.
  { first: ['units: + a'], second: ['units: + b'], lasting: ['units: + b'] },
])('$first and then $second is $lasting', async ({ first, second, lasting }) => {
  const again = async (): Promise<readonly string[]> => {
    if (second === undefined) throw new Error('they are the same, and need no second look');
    return second;
  };
  expect(await lastingDifferences('two machines', [async () => first, again])).toEqual(lasting);
});
