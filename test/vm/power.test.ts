import { describe, expect, test } from 'bun:test';
import { withSandbox } from '../support/sandbox';
import { cutAgainAndAgain } from '../support/vm/power/cutting';
import { report } from '../support/vm/power/figures';
import { machineHere } from '../support/vm/power/here';
import type { Stock } from '../support/vm/power/stock';

async function insistOn(stock: Stock, seeds: readonly number[], cuts: number): Promise<void> {
  const begun = performance.now();
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const all = await Promise.all(seeds.map((seed) => cutAgainAndAgain(stock, { cuts, seed, say, mounted: undefined })));
  const { text, wrong } = report(all, (performance.now() - begun) / 1000);
  console.log(text);
  expect(wrong, lines.join('\n')).toEqual([]);
  // Where nothing was under way, nothing was tried.
  expect(all.every(({ acknowledged }) => acknowledged > 0)).toBe(true);
}

describe('whenever the power goes while it switches, a machine boots all old or all new', () => {
  // With a kernel of its own, which takes half a minute a cut: `npm run test:power`.
  test('one that loses what was not written back', async () => {
    await withSandbox(async ({ root }) => insistOn(await machineHere(root), [7, 8], Number(process.env['CUTS'] ?? 15)));
  }, 1_800_000);
});
