// A lane's turn on a thread: what is published while one ends has the next.
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import type { Deed } from './fixtures/misbehaves.js';
import misbehaves from './fixtures/misbehaves.js';
import { shareBus } from './shared-bus.js';
import { linesOf, temporaryFolder } from './test-bus.js';

const clock = new SteppedClock();
const shared = shareBus({ spareThreads: 1, clock });

it.each(['loop', 'exit'])(
  'a request that fails by a %s is told when the next message can be sent at once',
  async (deed) => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const retry = { timeout_error: { maxRetries: 0, backoffMs: 0 }, connection_error: { maxRetries: 0, backoffMs: 0 } };
    const options = { subscriberId: 's', timeoutMs: 5000, graceMs: 1000, breaker: false as const, retry };
    await bus.subscribe('deeds', misbehaves, options);
    const reply = bus.request('deeds', { n: 0, ledger, deed } satisfies Deed);
    if (deed === 'loop') {
      while (linesOf(ledger).length === 0) await new Promise((resume) => setImmediate(resume));
      clock.step(6100);
    }
    // No more microtasks than this: the lane has not yet given its turn back.
    try {
      await reply;
    } catch {
      bus.publish('deeds', { n: 1, ledger } satisfies Deed);
    }
    await bus.idle();
    expect(linesOf(ledger)).toEqual(['start 0 1', 'start 1 1', 'done 1']);
  },
);
