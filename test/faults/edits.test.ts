import { expect, test } from 'bun:test';
import { editEach, type Way } from '../support/editing';

test.each<Way>(['link', 'direct', 'copy'])('%s', async (way) => {
  console.log(way, await editEach(way));
  expect(1).toBe(1);
}, 120_000);
