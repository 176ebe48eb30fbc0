// What plain functions may do in one turn of the event loop.
import { describe, expect, it } from '@jest/globals';
import { Slice } from '../src/threads/slice.js';

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));

/** How many calls of so many milliseconds begin before the loop has its turn. */
function callsOf(slice: Slice, ms: number): number {
  let calls = 0;
  for (; slice.begins(); calls++) slice.spend(ms);
  return calls;
}

describe('a slice of a turn', () => {
  it('is one call that takes long, or so many short ones as take ten milliseconds, or 4096 that take no time', async () => {
    const slice = new Slice();
    for (const [ms, calls] of [
      [5, 1],
      [0.4, 3],
      [0.0078125, 1280],
      [0, 4096],
    ] as const) {
      expect(callsOf(slice, ms)).toBe(calls);
      expect(slice.begins()).toBe(false);
      await turn();
    }
  });

  it('is over with its turn: what a promise took longer than that is nobody’s', async () => {
    const slice = new Slice();
    expect(slice.begins()).toBe(true);
    await turn();
    slice.spend(1000);
    expect(callsOf(slice, 5)).toBe(1);
  });
});
