// Everything goes wrong at random: the law holds, the guilty are given up, and no innocent is lost or charged.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import misbehaves from './fixtures/misbehaves.js';
import { assertAccounting, lettersOf, linesOf, startBus, temporaryFolder } from './test-bus.js';

const DELIVERIES = 1500;
const GUILTY_SHARE = 0.03;
/** These are given up in the end; the others recover, or drop their message. */
const HOPELESS = [
  'throw',
  'throw a string',
  'loop',
  'exit',
  'hoard',
  'never settle',
  'throw from a timer',
  'float a rejection',
  'give up',
];
const HARMLESS = ['throw once', 'exit once', 'later', 'discard', 'wait'];
const PRIORITIES = ['low', 'normal', 'high', 'critical'] as const;

/** A linear congruential generator (Numerical Recipes): a seed tells the run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return (state >>> 0) / 2 ** 32;
  };
}

describe('in chaos', () => {
  const seed = Number(process.env['BUSBAR_SEED'] ?? Math.floor(Math.random() * 1e9));

  it(`nobody pays for another (BUSBAR_SEED=${seed})`, async () => {
    const random = randomFrom(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
    const bus = await startBus({ threads: 2, resourceLimits: { maxOldGenerationSizeMb: 64 } });
    const folder = temporaryFolder();
    const shapes = [{ concurrency: 1 }, { lanes: 2 }, { concurrency: 4 }];
    for (const [index, shape] of shapes.entries()) {
      const options = { subscriberId: `s${index}`, timeoutMs: 200, graceMs: 50, breaker: false, ...shape } as const;
      await bus.subscribe(`chaos.${index}`, misbehaves, options);
    }
    const deeds = new Map<number, string>();
    for (let n = 0; n < DELIVERIES; n++) {
      if (random() < GUILTY_SHARE) deeds.set(n, pick([...HOPELESS, ...HARMLESS]));
      const deed = deeds.get(n);
      const payload = { n, ledger: join(folder, `ledger-${n % 3}`), ...(deed === undefined ? {} : { deed }) };
      const key = random() < 0.3 ? { key: `k${n % 5}` } : {};
      expect(bus.publish(`chaos.${n % 3}`, payload, { priority: pick(PRIORITIES), ...key })).toBe(true);
    }
    await bus.idle();

    const health = bus.getHealthStatus();
    assertAccounting(health);
    expect(health.subscriptions.map(({ routed, pending }) => [routed, pending])).toEqual([
      [500, 0],
      [500, 0],
      [500, 0],
    ]);
    const letters = await lettersOf(bus);
    const given = letters.map(({ message }) => (message.payload as { n: number }).n).sort((a, b) => a - b);
    expect(given).toEqual([...deeds.keys()].filter((n) => HOPELESS.includes(deeds.get(n) ?? '')));

    const done = [0, 1, 2].flatMap((index) => linesOf(join(folder, `ledger-${index}`)));
    const finished = new Set(done.filter((line) => line.startsWith('done')).map((line) => Number(line.split(' ')[1])));
    const innocents = Array.from({ length: DELIVERIES }, (_, n) => n).filter((n) => !deeds.has(n));
    expect(innocents.filter((n) => !finished.has(n))).toEqual([]);
    // One that was run again for another's sake does not fail the first time, for that is not its first attempt any more.
    expect(health.errorsRecovered).toBeLessThanOrEqual(
      [...deeds.values()].filter((deed) => deed.endsWith('once')).length,
    );
  }, 60_000);
});
