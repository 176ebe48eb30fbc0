// Rings across real threads that are ended at random points and replaced: content, order and count.
import { describe, expect, it } from '@jest/globals';
import { freshSeed } from './random.js';
import { runRing } from './stress/ring-round.js';

describe('a ring whose threads are ended at random points and replaced', () => {
  const seed = Number(process.env['BUSBAR_SEED'] ?? freshSeed());

  it.each([seed, seed + 1, seed + 2])(
    'loses nothing, changes nothing, and keeps the order (BUSBAR_SEED=%d)',
    async (one) => {
      const { wrongs, records, kills } = await runRing(one, 400);
      expect({ one, wrongs }).toEqual({ one, wrongs: [] });
      expect(Math.min(records, kills)).toBeGreaterThan(0);
    },
  );
});
