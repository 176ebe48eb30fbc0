// A subscription's circuit breaker: while it is open its messages wait, and nothing is burnt.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { SubscribeOptions } from '../src/index.js';
import misbehaves from './fixtures/misbehaves.js';
import { accountOf, lettersOf, linesOf, startBus, temporaryFolder } from './test-bus.js';

const ONCE = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };

async function failing(options: Partial<SubscribeOptions>) {
  const bus = await startBus();
  const ledger = join(temporaryFolder(), 'ledger');
  await bus.subscribe('a', misbehaves, { subscriberId: 's', retry: ONCE, ...options });
  const publish = (n: number, deed?: string) =>
    bus.publish('a', deed === undefined ? { n, ledger } : { n, ledger, deed });
  const starts = () => linesOf(ledger).filter((line) => line.startsWith('start')).length;
  const until = async (isThere: () => boolean): Promise<void> => {
    const deadline = Date.now() + 5000;
    while (!isThere() && Date.now() < deadline) await new Promise((resume) => setTimeout(resume, 5));
  };
  return { bus, publish, starts, until };
}

describe('a breaker', () => {
  it('opens after failures in a row, holds the lane, and closes when a probe succeeds', async () => {
    const { bus, publish, starts, until } = await failing({ breaker: { failureThreshold: 3, recoveryTimeoutMs: 300 } });
    const changes: string[] = [];
    bus.on('breaker', ({ name, state }) => changes.push(`${name} ${state}`));
    for (let n = 0; n < 3; n++) publish(n, 'throw');
    for (let n = 3; n < 10; n++) publish(n);
    await until(() => bus.getHealthStatus().subscriptions[0]?.held === true && accountOf(bus, 's').deadLettered === 3);
    expect(starts()).toBe(3);
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 0, pending: 7 });
    expect(bus.getHealthStatus()).toMatchObject({ circuitBreakerStatus: { 'a#s': 'open' } });
    expect(bus.getHealthStatus().reasons).toContain('breaker a#s is open');
    expect(bus.recoveryManager?.getCircuitBreakerStatus()).toEqual({ 'a#s': 'open' });
    await expect(bus.request('a', 1)).rejects.toMatchObject({
      code: 'BUSBAR_BREAKER_OPEN',
      breaker: 'a#s',
      retryAfterMs: expect.any(Number),
    });
    await bus.idle();
    expect(accountOf(bus, 's')).toEqual({ routed: 10, succeeded: 7, deadLettered: 3, dropped: 0, pending: 0 });
    expect(starts()).toBe(10);
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'closed' });
    expect(changes).toContain('a#s open');
  });

  it('gives messages up at once when its subscription does not wait', async () => {
    const { bus, publish, starts } = await failing({
      breaker: { failureThreshold: 2, name: 'db' },
      whenOpen: 'dead-letter',
    });
    for (let n = 0; n < 2; n++) publish(n, 'throw');
    await bus.idle();
    for (let n = 2; n < 6; n++) publish(n);
    await bus.idle();
    expect(starts()).toBe(2);
    expect((await lettersOf(bus)).map(({ reason }) => reason)).toEqual([
      ...Array(2).fill('not_retryable'),
      ...Array(4).fill('breaker_open'),
    ]);
  });

  it('counts a delivery once, however often it is tried', async () => {
    const { bus, publish } = await failing({
      breaker: { failureThreshold: 2 },
      retry: { message_processing_error: { maxRetries: 5, backoffMs: 1 } },
    });
    publish(1, 'throw');
    await bus.idle();
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'closed' });
    publish(2, 'throw');
    await new Promise((resume) => setTimeout(resume, 50));
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'open' });
  });

  it('counts threads that die', async () => {
    const { bus, publish, until } = await failing({
      breaker: { failureThreshold: 2 },
      retry: { connection_error: { maxRetries: 0, backoffMs: 0 } },
    });
    publish(1, 'exit');
    publish(2, 'exit');
    publish(3);
    await until(() => bus.getHealthStatus().subscriptions[0]?.held === true && accountOf(bus, 's').deadLettered === 2);
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'open' });
    expect(accountOf(bus, 's')).toMatchObject({ deadLettered: 2, pending: 1 });
  });
});
