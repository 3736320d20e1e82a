import { expect, test } from 'bun:test';
import { cutAgainAndAgain, makeStock } from '../support/vm/power/cutting';
import { report } from '../support/vm/power/figures';

/** How often the power is cut off each of two machines. */
const CUTS = Number(process.env['CUTS'] ?? 4);

test('whenever the power goes while it switches, a machine boots all old or all new', async () => {
  const stock = await makeStock();
  const begun = performance.now();
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const all = await Promise.all([5, 6].map((seed) => cutAgainAndAgain(stock, { cuts: CUTS, seed, say })));
  const { text, wrong } = report(all, (performance.now() - begun) / 1000);
  console.log(text);
  expect(wrong, lines.join('\n')).toEqual([]);
  // Where nothing was under way, nothing was tried.
  expect(all.every(({ acknowledged }) => acknowledged > 0)).toBe(true);
}, 1_200_000);
