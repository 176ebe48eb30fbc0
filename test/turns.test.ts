// A lane's turn on a thread: what is published while one ends has the next.
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import type { Deed } from './fixtures/misbehaves.js';
import misbehaves from './fixtures/misbehaves.js';
import { linesOf, startBus, temporaryFolder } from './test-bus.js';

it.each(['loop', 'exit'])(
  'a request that fails by a %s is told when the next message can be sent at once',
  async (deed) => {
    const bus = await startBus({ spareThreads: 1 });
    const ledger = join(temporaryFolder(), 'ledger');
    const retry = {
      timeout_error: { maxRetries: 0, backoffMs: 0 },
      message_processing_error: { maxRetries: 0, backoffMs: 0 },
    };
    const options = { subscriberId: 's', timeoutMs: 100, graceMs: 20, breaker: false as const, retry };
    await bus.subscribe('deeds', misbehaves, options);
    // No more microtasks than this: the lane has not yet given its turn back.
    try {
      await bus.request('deeds', { n: 0, ledger, deed } satisfies Deed);
    } catch {
      bus.publish('deeds', { n: 1, ledger } satisfies Deed);
    }
    await bus.idle();
    expect(linesOf(ledger).filter((line) => line.startsWith('done'))).toHaveLength(1);
  },
);
