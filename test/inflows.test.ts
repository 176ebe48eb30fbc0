// What a transport brings may be of any size: who sent it knows other limits than ours.
import { describe, expect, it } from '@jest/globals';
import { RetrySchedule } from '../src/failure/retries.js';
import { Inflows } from '../src/inflows.js';
import type { LiveSubscription } from '../src/live-subscription.js';
import type { Publisher } from '../src/publish.js';
import { Remote } from '../src/remote.js';
import type { Settler } from '../src/settle.js';
import type { Delivery } from '../src/shared/delivery.js';
import { SteppedClock } from '../src/testing/index.js';
import { Trails } from '../src/trails.js';
import type { Arrival, Intake } from '../src/transport/transport.js';

describe('an arrival', () => {
  it.each<[string, Partial<Arrival>]>([
    ['whose id is too long', { id: 'x'.repeat(70_000) }],
    ['whose key is too long', { key: 'x'.repeat(70_000) }],
    ['whose headers are too many', { headers: { a: 'x'.repeat(70_000) } }],
    ['whose headers are no texts', { headers: { a: 5 } as unknown as Record<string, string> }],
    ['whose topic is too long', { topic: 'x'.repeat(300) }],
  ])('%s is given up, and one like it, but in bounds, is taken', async (_name, wrong) => {
    const seen: unknown[] = [];
    const intakes: Intake[] = [];
    const transport = { subscribe: async (given: Intake) => intakes.push(given) };
    const inflows = new Inflows({
      remote: { transport } as unknown as Remote,
      publisher: {
        arrive: (_: unknown, { id }: Arrival) => seen.push(['taken', id]),
        arrived: (_: unknown, arrival: Arrival) => ({ ...arrival, number: 1 }),
      } as unknown as Publisher,
      settler: {
        refuse: (_: unknown, __: unknown, reason: string, { code }: { code: string }) => seen.push([reason, code]),
      } as unknown as Settler,
      retries: new RetrySchedule(new SteppedClock(), () => undefined),
    });
    const subscription = { pattern: 'a', subscriberId: 's', options: { maxQueueSize: 1 }, isClosed: false };
    await inflows.open(subscription as unknown as LiveSubscription);
    const good = { topic: 'a', id: 'good', key: 'k', headers: null } as unknown as Arrival;
    intakes[0]?.take({ ...good, ...wrong }, { settle: () => undefined, release: () => undefined });
    intakes[0]?.take(good, { settle: () => undefined, release: () => undefined });
    expect(seen).toEqual([
      ['not_retryable', wrong.topic === undefined ? 'BUSBAR_INVALID_OPTION' : 'BUSBAR_INVALID_TOPIC'],
      ['taken', 'good'],
    ]);
  });

  it('that was put off often is no longer told of once another process has it', () => {
    const remote = new Remote();
    const subscription = { routed: 1, trails: new Trails() } as unknown as LiveSubscription;
    const delivery = { number: 1, started: 20 } as Delivery;
    remote.expect(1, { settle: () => undefined, release: () => undefined });
    for (let times = 0; times < 20; times++) subscription.trails.putOff(delivery);
    expect(subscription.trails.putOffOften).toBe(1);
    expect(remote.release(subscription, delivery)).toBe(true);
    expect(subscription.trails.putOffOften).toBe(0);
  });
});
