// A subscription's circuit breaker: while it is open its messages wait, and nothing is burnt.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { BreakerOpenError, type SubscribeOptions, type Subscription } from '../src/index.js';
import { createTestBus, type TestBus } from '../src/testing/index.js';
import misbehaves from './fixtures/misbehaves.js';
import { accountOf, linesOf, temporaryFolder } from './test-bus.js';

const ONCE = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };

let bus: TestBus;
let subscription: Subscription;

beforeAll(async () => {
  bus = await createTestBus();
});

afterEach(async () => {
  await subscription.unsubscribe({ drain: false });
  await bus.deadLetterQueue?.clear();
});

afterAll(() => bus.stop());

async function failing(options: Partial<SubscribeOptions>) {
  const ledger = join(temporaryFolder(), 'ledger');
  subscription = await bus.subscribe('a', misbehaves, { subscriberId: 's', retry: ONCE, ...options });
  const publish = (n: number, deed?: string) =>
    bus.publish('a', deed === undefined ? { n, ledger } : { n, ledger, deed });
  const starts = () => linesOf(ledger).filter((line) => line.startsWith('start')).length;
  const held = (deadLettered: number) =>
    bus.until(({ subscriptions: [s] }) => s?.held === true && s.deadLettered === deadLettered);
  return { ledger, publish, starts, held };
}

describe('a breaker', () => {
  it('opens after failures in a row, holds the lane, and closes when a probe succeeds', async () => {
    const { publish, starts, held } = await failing({ breaker: { failureThreshold: 3 } });
    const changes: string[] = [];
    bus.on('breaker', ({ name, state }) => changes.push(`${name} ${state}`));
    for (let n = 0; n < 3; n++) publish(n, 'throw');
    for (let n = 3; n < 10; n++) publish(n);
    await held(3);
    bus.step(59_999);
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
    await bus.settled({ step: true });
    expect(accountOf(bus, 's')).toEqual({ routed: 10, succeeded: 7, deadLettered: 3, dropped: 0, pending: 0 });
    expect(starts()).toBe(10);
    expect(bus.getHealthStatus().circuitBreakerStatus).toEqual({ 'a#s': 'closed' });
    expect(changes).toContain('a#s open');
  });

  it('gives messages up at once when its subscription does not wait', async () => {
    const { publish, starts } = await failing({
      breaker: { failureThreshold: 2, name: 'db' },
      whenOpen: 'dead-letter',
    });
    for (let n = 0; n < 2; n++) publish(n, 'throw');
    await bus.settled({ step: true });
    for (let n = 2; n < 6; n++) publish(n);
    await bus.settled({ step: true });
    expect(starts()).toBe(2);
    expect((await bus.deadLetters()).map(({ reason }) => reason)).toEqual([
      ...Array(2).fill('retries_exhausted'),
      ...Array(4).fill('breaker_open'),
    ]);
  });

  it('counts no start of one that it gives up unstarted, though the thread ends before main has room to hear of it', async () => {
    const options = { breaker: { failureThreshold: 1 }, whenOpen: 'dead-letter', ordering: 'none' } as const;
    const { ledger } = await failing(options);
    const publish = (n: number, priority: 'high' | 'normal', more: object = {}): boolean =>
      bus.publish('a', { n, ledger, ...more }, { priority });
    publish(0, 'high');
    publish(0, 'normal');
    await bus.settled({ step: true });
    publish(1, 'high', { deed: 'exit when told' });
    publish(2, 'high', { deed: 'throw' });
    // More than the thread can tell while main stands still.
    for (let n = 3; n < 11; n++) publish(n, n % 2 ? 'high' : 'normal', { ballast: 'x'.repeat(200_000) });
    const standStill = (ms: number): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const standStillUntil = (line: string): void => {
      while (!linesOf(ledger).includes(line)) standStill(5);
    };
    standStillUntil('start 2 1');
    standStill(100);
    writeFileSync(`${ledger}-told`, '');
    standStillUntil('exits');
    await bus.settled({ step: true });
    const refused = (await bus.deadLetters()).filter(({ reason }) => reason === 'breaker_open');
    // One of the lower priority may have had its turn before the breaker opened.
    expect(refused.length).toBeGreaterThan(6);
    expect(refused.map(({ started }) => started)).toEqual(refused.map(() => 0));
    expect(bus.getHealthStatus().threads.replaced).toBe(1);
  });

  it('refuses a request that waited in the lane as it refuses one that comes later', async () => {
    const { ledger } = await failing({
      breaker: { failureThreshold: 1, recoveryTimeoutMs: 500 },
      whenOpen: 'dead-letter',
    });
    const [failed, refused] = await Promise.allSettled([
      bus.request('a', { n: 0, ledger, deed: 'throw' }),
      bus.request('a', { n: 1, ledger }),
    ]);
    expect(failed).toMatchObject({ reason: { code: 'BUSBAR_REQUEST_FAILED' } });
    expect(refused).toMatchObject({ reason: { code: 'BUSBAR_BREAKER_OPEN', breaker: 'a#s', retryAfterMs: 500 } });
    expect((refused as PromiseRejectedResult).reason).toBeInstanceOf(BreakerOpenError);
  });

  it('counts a delivery once, however often it is tried', async () => {
    const { publish } = await failing({
      breaker: { failureThreshold: 2 },
      retry: { message_processing_error: { maxRetries: 5, backoffMs: 1000 } },
    });
    publish(1, 'throw');
    await bus.settled({ step: true });
    expect(bus.getHealthStatus().circuitBreakerStatus).toMatchObject({ 'a#s': 'closed' });
    publish(2, 'throw');
    await bus.until(({ circuitBreakerStatus }) => circuitBreakerStatus?.['a#s'] === 'open');
  });

  it('counts threads that die', async () => {
    const { publish, held } = await failing({
      breaker: { failureThreshold: 2 },
      retry: { connection_error: { maxRetries: 0, backoffMs: 0 } },
    });
    publish(1, 'exit');
    publish(2, 'exit');
    publish(3);
    await held(2);
    expect(bus.getHealthStatus().circuitBreakerStatus).toMatchObject({ 'a#s': 'open' });
    expect(accountOf(bus, 's')).toMatchObject({ deadLettered: 2, pending: 1 });
  });
});
