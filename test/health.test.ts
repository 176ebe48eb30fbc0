// Health: which reasons appear and go away as time passes, when it is the same snapshot again, and that it adds up.
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { retryLater, type Subscription } from '../src/index.js';
import { Health, type HealthFacts } from '../src/observe/health.js';
import { RecentOutcomes } from '../src/observe/recent-outcomes.js';
import { trendsOf } from '../src/observe/trends.js';
import type { SubscriptionHealth } from '../src/shared/health-status.js';
import { Minutes } from '../src/shared/minutes.js';
import { createTestBus, type TestBus } from '../src/testing/index.js';
import failsCritically from './fixtures/fails-first-and-critically.js';

const MINUTE = 60_000;
const fails = (): never => {
  throw new Error('no');
};

describe('a bus', () => {
  let bus: TestBus;
  let subscription: Subscription | undefined;
  const reasons = (about: string): string[] => bus.getHealthStatus().reasons.filter((one) => one.includes(about));

  beforeAll(async () => {
    bus = await createTestBus({ retry: { message_processing_error: { maxRetries: 1, backoffMs: 0 } } });
    await bus.subscribe('fine', () => undefined, { subscriberId: 's' });
    for (let n = 0; n < 2000; n++) bus.publish('fine', n);
    await bus.settled();
  });

  afterEach(async () => {
    await subscription?.unsubscribe();
    await bus.deadLetterQueue?.clear();
    bus.step(61 * MINUTE);
    expect(bus.getHealthStatus()).toMatchObject({ status: 'healthy', reasons: [] });
  });

  afterAll(async () => {
    await bus.stop({ drain: false });
  });

  /** As many messages that fail twice, and are given up or discarded. */
  async function failing(messages: number, whenExhausted: 'dead-letter' | 'discard'): Promise<void> {
    subscription = await bus.subscribe('bad', fails, { subscriberId: 'b', breaker: false, whenExhausted });
    for (let n = 0; n < messages; n++) bus.publish('bad', n);
    await subscription.unsubscribe();
  }

  it('says that dead letters grow while many came lately, and no longer when they come no more', async () => {
    await failing(9, 'dead-letter');
    expect(reasons('dead letters')).toEqual([]);
    await failing(3, 'dead-letter');
    expect(reasons('dead letters')).toEqual(['12 dead letters came within 5 minutes']);
    expect(bus.getHealthStatus().status).toBe('degraded');
    bus.step(6 * MINUTE);
    expect(reasons('dead letters')).toEqual([]);
  });

  it('counts no dead letter as growth that was purged', async () => {
    await failing(12, 'dead-letter');
    expect(reasons('dead letters')).toHaveLength(1);
    await bus.deadLetterQueue?.clear();
    expect(reasons('dead letters')).toEqual([]);
  });

  it('says that errors come faster than twice as usual, until that is usual or they come no more', async () => {
    // Two errors a minute are usual, and then come more.
    for (let minute = 0; minute < 60; minute++) {
      await failing(1, 'discard');
      bus.step(MINUTE);
    }
    expect(bus.getHealthStatus().reasons).toEqual([]);
    await failing(8, 'discard');
    expect(bus.getHealthStatus()).toMatchObject({
      status: 'degraded',
      reasons: ['4.8 errors a minute, more than twice the usual 2.0'],
    });
    bus.step(5 * MINUTE);
    expect(bus.getHealthStatus().reasons).toEqual([]);
  });

  it('goes by what was settled lately, looked at or not', async () => {
    bus.step(61 * MINUTE);
    subscription = await bus.subscribe('bad', fails, { subscriberId: 'b', breaker: false, whenExhausted: 'discard' });
    for (let n = 0; n < 20; n++) bus.publish('bad', n);
    await bus.settled({ step: true });
    bus.step(MINUTE);
    const { status, reasons, successRate, recentSuccessRate } = bus.getHealthStatus();
    expect([status, recentSuccessRate, successRate > 0.9]).toEqual(['critical', 0, true]);
    expect(reasons).toContain('only 0.0 % of the deliveries of the last 5 minutes succeeded');
    for (let n = 0; n < 2000; n++) bus.publish('fine', n);
    await bus.settled();
    expect(bus.getHealthStatus().recentSuccessRate).toBe(2000 / 2020);
  });

  it('tells of a delivery that its handler puts off again and again, in a report each time there are ten times as many', async () => {
    let isThere = false;
    const waits = (): void => {
      if (!isThere) throw retryLater(1000);
    };
    const { totalErrors = 0 } = bus.getHealthStatus().errorStatistics ?? {};
    subscription = await bus.subscribe('later', waits, { subscriberId: 'l' });
    bus.publish('later', 1);
    const putOff = async (times: number): Promise<void> => {
      for (let n = 0; n < times; n++) {
        await bus.until(({ subscriptions }) => subscriptions.some(({ retrying }) => retrying === 1));
        bus.step(1000);
      }
      await bus.until(({ subscriptions }) => subscriptions.some(({ retrying }) => retrying === 1));
    };
    await putOff(8);
    expect(reasons('off ten times')).toEqual([]);
    await putOff(92);
    expect(reasons('off ten times')).toEqual(['the handler of later#l has put a delivery off ten times or more']);
    const { errorStatistics, status, subscriptions } = bus.getHealthStatus();
    expect([status, errorStatistics?.totalErrors]).toEqual(['degraded', totalErrors + 2]);
    expect(subscriptions.find(({ subscriberId }) => subscriberId === 'l')).toMatchObject({
      putOffOften: 1,
      retrying: 1,
    });
    isThere = true;
    await bus.settled({ step: true });
    expect(reasons('off ten times')).toEqual([]);
    const errors = await bus.errorLogger?.recentErrors({ subscriberId: 'l' });
    expect(errors?.map(({ message, severity }) => [message, severity])).toEqual([
      ['the handler has put this message off 100 times', 'low'],
      ['the handler has put this message off 10 times', 'low'],
    ]);
  });

  it('retries what its category retries, however critical the error is', async () => {
    const errors = bus.getHealthStatus().errorStatistics?.severityDistribution.critical ?? 0;
    subscription = await bus.subscribe('valve', failsCritically, { subscriberId: 'v' });
    bus.publish('valve', 1);
    await bus.settled();
    const { errorStatistics, subscriptions } = bus.getHealthStatus();
    expect(errorStatistics?.severityDistribution.critical).toBe(errors + 1);
    expect(subscriptions.find(({ subscriberId }) => subscriberId === 'v')).toMatchObject({ succeeded: 1, dropped: 0 });
  });

  it('gives the same snapshot while nothing happens, and another one after a message, a step of time, an error', async () => {
    const first = bus.getHealthStatus();
    expect(bus.getHealthStatus()).toBe(first);
    bus.publish('fine', 1);
    await bus.settled();
    const second = bus.getHealthStatus();
    expect(second.messagesProcessed).toBe(first.messagesProcessed + 1);
    expect(first).not.toBe(second);
    bus.step(1000);
    const third = bus.getHealthStatus();
    expect(third.uptimeSeconds).toBe(second.uptimeSeconds + 1);
    expect(bus.publish('not a topic', 1)).toBe(false);
    expect(bus.getHealthStatus().errorStatistics?.totalErrors).toBe((third.errorStatistics?.totalErrors ?? 0) + 1);
  });
});

describe('the status', () => {
  const at = (outcomes: RecentOutcomes, minute: number) => outcomes.success(minute * 60);
  const settled = (succeeded: number, deadLettered: number) => [
    { pattern: 'a', subscriberId: 's', succeeded, deadLettered, dropped: 0 },
  ];

  it('goes by the last five minutes: a fresh failure does not hide in a long history, and an old one is forgotten', () => {
    const outcomes = new RecentOutcomes();
    outcomes.take(settled(1_000_000, 0), 0);
    outcomes.take(settled(1_000_000, 30), 100 * 60);
    expect(at(outcomes, 100)).toEqual({ rate: 0, minutes: 5 });
    outcomes.take(settled(1_000_050, 30), 106 * 60);
    expect(at(outcomes, 106)).toEqual({ rate: 1, minutes: 5 });
  });

  it('goes by the last hour where less than twenty were settled in five minutes, and is well before and after any', () => {
    const outcomes = new RecentOutcomes();
    expect(at(outcomes, 0)).toEqual({ rate: 1, minutes: 60 });
    outcomes.take(settled(60, 0), 60);
    outcomes.take(settled(60, 15), 20 * 60);
    expect(at(outcomes, 20)).toEqual({ rate: 0.8, minutes: 60 });
    expect(at(outcomes, 90)).toEqual({ rate: 1, minutes: 60 });
  });

  it('begins again with a subscription that begins again', () => {
    const outcomes = new RecentOutcomes();
    outcomes.take(settled(0, 40), 0);
    outcomes.take([], 60);
    outcomes.take(settled(30, 10), 120);
    expect(at(outcomes, 2)).toEqual({ rate: 30 / 80, minutes: 5 });
    outcomes.take(settled(10, 0), 180);
    expect(at(outcomes, 3)).toEqual({ rate: 40 / 90, minutes: 5 });
  });
});

describe('the usual rate of errors', () => {
  it('is not known in the first ten minutes, and of none any ten errors are above twice', () => {
    const errors = new Minutes();
    errors.add(10, 3600);
    const at = (uptimeMinutes: number) => trendsOf(new Minutes(), 0, errors, uptimeMinutes * MINUTE, 3600).errors;
    expect(at(9)).toBeNull();
    expect(at(10)).toEqual({ lately: 2, usually: 0 });
  });
});

describe('health', () => {
  const count = fc.nat(1_000_000);
  const subscriptions = fc.array(
    fc.record({ succeeded: count, deadLettered: count, dropped: count, pending: count }).map((counts) => ({
      ...counts,
      routed: counts.succeeded + counts.deadLettered + counts.dropped + counts.pending,
      subscriberId: 's',
      pattern: 'a',
      inFlight: 0,
      retrying: 0,
      putOffOften: 0,
      lanes: 1,
      breaker: null,
      held: false,
      paused: false,
      pressed: false,
      breakerName: 'a#s',
      storm: false,
    })),
    { maxLength: 5 },
  );
  const factsOf = (each: HealthFacts['subscriptions'], rate = 1): HealthFacts => ({
    running: true,
    life: 'begun',
    uptimeSeconds: 1,
    errorsRecovered: 0,
    unrouted: 0,
    duplicates: 0,
    subscriptions: each,
    breakers: {},
    emergency: null,
    threads: { configured: 1, alive: 1, replaced: 0 },
    logging: null,
    control: null,
    transport: null,
    errorStatistics: null,
    trends: { newLetters: 0, errors: null },
    recent: { rate, minutes: 5 },
  });
  const sum = (each: readonly SubscriptionHealth[], of: 'routed' | 'succeeded'): number =>
    each.reduce((total, one) => total + one[of], 0);

  it('adds up: what was routed is processed or queued, what is processed succeeded or failed', () => {
    fc.assert(
      fc.property(subscriptions, fc.double({ min: 0, max: 1, noNaN: true }), (each, rate) => {
        const health = new Health().of(factsOf(each, rate));
        expect(health.messagesProcessed + health.mainQueueSize).toBe(sum(each, 'routed'));
        expect(health.messagesProcessed - health.messagesFailed).toBe(sum(each, 'succeeded'));
        expect(health.messagesDropped).toBeLessThanOrEqual(health.messagesFailed);
        expect(health.successRate * health.messagesProcessed).toBeCloseTo(sum(each, 'succeeded'), 3);
        const { status } = health;
        expect(health.recentSuccessRate).toBe(rate);
        expect(status).toBe(rate > 0.95 ? 'healthy' : rate > 0.8 ? 'degraded' : 'critical');
        expect(health.reasons.length > 0).toBe(status !== 'healthy');
      }),
      { numRuns: 300 },
    );
  });

  it('is never an old one: after any change of the facts it is what it would be anew', () => {
    fc.assert(
      fc.property(fc.array(subscriptions, { maxLength: 8 }), (changes) => {
        const health = new Health();
        for (const each of changes) {
          const facts = factsOf(each);
          expect(health.of(structuredClone(facts))).toEqual(new Health().of(facts));
          expect(health.of(structuredClone(facts))).toBe(health.of(facts));
        }
      }),
      { numRuns: 100 },
    );
  });
});
