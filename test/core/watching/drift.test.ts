import { describe, expect, test } from 'bun:test';
import { POINTER } from '../../../src/core/entry';
import type { TargetPath } from '../../../src/core/path';
import type { Wrong } from '../../../src/core/report/verify-report';
import { type Known, nothingKnown, notice, PATIENCE_MS, takeTurn } from '../../../src/core/watching/drift';

const NOW = 1_000_000.25;

function wrong(...paths: readonly string[]): Wrong[] {
  return paths.map((path) => ({ path: path as TargetPath, what: 'it is gone', at: 'path' }));
}

/** What is known once these paths were seen to be wrong. */
function knowing(...paths: readonly string[]): Known {
  return notice(nothingKnown, wrong(...paths), NOW).known;
}

function turnOf(
  known: Known,
  now: number,
): { due: string[]; held: string[]; nextMs: number | undefined; known: Known } {
  const { due, held, nextMs, known: next } = takeTurn(known, now);
  return { due: [...due], held: held.map(({ path, waitMs }) => `${path} ${waitMs}`), nextMs, known: next };
}

describe('what is new', () => {
  test('a path is named once, until it is right again', () => {
    const first = notice(nothingKnown, wrong('/etc/a', '/etc/b'), NOW);
    expect([first.drifted, first.right]).toEqual([wrong('/etc/a', '/etc/b'), []]);
    const second = notice(first.known, wrong('/etc/b', '/etc/c'), NOW + 1);
    expect([second.drifted, second.right]).toEqual([wrong('/etc/c'), ['/etc/a' as TargetPath]]);
    const third = notice(second.known, wrong('/etc/a', '/etc/b', '/etc/c'), NOW + 2);
    expect([third.drifted, third.right]).toEqual([wrong('/etc/a'), []]);
  });

  test('a path that is wrong in another way is not named again', () => {
    const other: Wrong[] = [{ path: '/etc/a' as TargetPath, what: 'its content was changed', at: 'path' }];
    expect(notice(knowing('/etc/a'), other, NOW).drifted).toEqual([]);
  });

  test('what is known does not grow with what is right again', () => {
    let known = nothingKnown;
    for (let count = 0; count < 100; count += 1) {
      known = notice(known, wrong(`/etc/${count}`), NOW + count * PATIENCE_MS).known;
      known = takeTurn(known, NOW + count * PATIENCE_MS).known;
    }
    known = notice(known, [], NOW + 101 * PATIENCE_MS).known;
    expect([known.wrong.size, known.tried.size, known.held.size]).toEqual([0, 0, 0]);
  });
});

describe('what is put right', () => {
  test('everything the first time, and nothing twice within a minute', () => {
    const first = turnOf(knowing('/etc/a', '/etc/b'), NOW);
    expect(first).toMatchObject({ due: ['/etc/a', '/etc/b'], held: [], nextMs: undefined });
    const again = notice(notice(first.known, [], NOW + 10).known, wrong('/etc/a', '/etc/c'), NOW + 1000).known;
    const second = turnOf(again, NOW + 1000);
    expect(second).toMatchObject({
      due: ['/etc/c'],
      held: [`/etc/a ${PATIENCE_MS - 1000}`],
      nextMs: PATIENCE_MS - 1000,
    });
    const mended = notice(second.known, wrong('/etc/a'), NOW + 2000).known;
    const third = turnOf(mended, NOW + 2000);
    expect(third).toMatchObject({ due: [], held: [], nextMs: PATIENCE_MS - 2000 });
    expect(turnOf(third.known, NOW + PATIENCE_MS)).toMatchObject({ due: ['/etc/a'], nextMs: undefined });
  });

  test('it says again that a path is left alone once that drifted anew', () => {
    const tried = takeTurn(knowing('/etc/a'), NOW).known;
    expect(turnOf(tried, NOW + 1).held).toHaveLength(1);
    const held = takeTurn(tried, NOW + 1).known;
    const anew = notice(notice(held, [], NOW + 2).known, wrong('/etc/a'), NOW + 3).known;
    expect(turnOf(anew, NOW + 3).held).toHaveLength(1);
  });

  test('what is below a path that has to wait waits with it', () => {
    const tried = takeTurn(knowing('/etc/d'), NOW).known;
    const known = notice(tried, wrong('/etc/d', '/etc/d/x', '/etc/d-x'), NOW + 1000).known;
    expect(turnOf(known, NOW + 1000)).toMatchObject({ due: ['/etc/d-x'], nextMs: PATIENCE_MS - 1000 });
  });

  test('everything waits with the pointer', () => {
    const tried = takeTurn(knowing(POINTER), NOW).known;
    const known = notice(tried, wrong(POINTER, '/etc/a'), NOW + 1000).known;
    expect(turnOf(known, NOW + 1000)).toMatchObject({ due: [], nextMs: PATIENCE_MS - 1000 });
    expect(turnOf(known, NOW + PATIENCE_MS).due).toEqual([POINTER, '/etc/a']);
  });

  test('whatever drifts whenever, no path is put right twice within a minute, and each that stays wrong is in the end', () => {
    const paths = ['/etc/a', '/etc/b', '/etc/b/c', POINTER];
    const last = new Map<string, number>();
    let known = nothingKnown;
    for (let step = 0; step < 2000; step += 1) {
      const now = NOW + step * 777;
      const seen = paths.filter((_, index) => (step * (index + 3) * 7919) % 5 < 2 || step > 1900);
      known = notice(known, wrong(...seen), now).known;
      const turn = takeTurn(known, now);
      known = turn.known;
      for (const path of turn.due) {
        expect(now - (last.get(path) ?? -Infinity)).toBeGreaterThanOrEqual(PATIENCE_MS);
        last.set(path, now);
      }
    }
    for (const path of paths) expect(last.get(path)).toBeGreaterThan(NOW + 1820 * 777);
  });
});
