// busbar/testing: what it injects, the bus stands; what it tells, is so.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ErrorCategory } from '../src/index.js';
import { Logging } from '../src/observe/logging.js';
import { DiskFaults } from '../src/shared/disk-faults.js';
import { drawFault, FAULT_KINDS } from '../src/shared/fault-plan.js';
import {
  createTestBus,
  type FaultKind,
  type FaultOptions,
  type TestBus,
  type TestBusOptions,
} from '../src/testing/index.js';
import counts from './fixtures/counts-its-calls.js';
import misbehaves from './fixtures/misbehaves.js';
import publishes from './fixtures/publishes.js';
import { linesOf, temporaryFolder } from './test-bus.js';

/** The time is a guard: a busy machine takes longer than the default. */
const STEP = { step: true, timeoutMs: 50_000 } as const;
const open: TestBus[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.stop({ drain: false })));
});

async function testBus(options?: TestBusOptions): Promise<TestBus> {
  const bus = await createTestBus(options);
  open.push(bus);
  return bus;
}

/** A bus with these faults, to which `messages` messages were published. */
async function suffering(faults: FaultOptions, messages: number, options: TestBusOptions = {}, concurrency = 1) {
  const bus = await testBus({ ...options, faults });
  await bus.subscribe('a', counts, { subscriberId: 's', breaker: false, concurrency });
  for (let n = 0; n < messages; n++) bus.publish('a', { n });
  const ids = Array.from({ length: messages }, (_, n) => `test-${n.toString(36)}`);
  const hit = (kind: FaultKind) => ids.filter((id) => bus.faultOf('s', id) === kind);
  return { bus, ids, hit };
}

describe('faults', () => {
  it('are the same for the same seed, and come at the rates that were asked for', () => {
    const rates = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0.1])) as Record<FaultKind, number>;
    const draw = (seed: number, n: number) =>
      drawFault({ seed, rates, delayMs: 0, attempts: 1, when: 'before' }, 's', `test-${n}`);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const drawn = Array.from({ length: 4000 }, (_, n) => draw(seed, n));
        expect(drawn).toEqual(Array.from({ length: 4000 }, (_, n) => draw(seed, n)));
        // Ten standard deviations of a binomial of 4000 at 0.1.
        for (const kind of FAULT_KINDS)
          expect(Math.abs(drawn.filter((one) => one === kind).length - 400)).toBeLessThan(190);
      }),
      { numRuns: 2 },
    );
  });

  it('are refused when they make no sense, with the value received', async () => {
    for (const faults of [
      { throw: 2 },
      { throw: 0.6, kill: 0.6 },
      { seed: 1.5 },
      { delayMs: -1 },
      { attempts: 0 },
      { hagn: 1 },
    ])
      await expect(createTestBus({ faults })).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
  });

  it('once: the chosen deliveries fail once and recover, the others never notice', async () => {
    const { bus, ids, hit } = await suffering({ throw: 0.07, kill: 0.07, hang: 0.07, loop: 0.07, seed: 159 }, 40);
    const hits = (...kinds: FaultKind[]): number => kinds.flatMap(hit).length;
    for (const kind of ['throw', 'kill', 'hang', 'loop'] as const) expect(hits(kind)).toBeGreaterThan(1);
    await bus.settled(STEP);
    expect(bus.ledger.succeeded('s').sort()).toEqual(ids.sort());
    const { subscriptions, errorsRecovered, errorStatistics } = bus.getHealthStatus();
    expect(subscriptions).toMatchObject([{ routed: 40, succeeded: 40, deadLettered: 0, dropped: 0, pending: 0 }]);
    expect(errorStatistics?.categories).toMatchObject({
      [ErrorCategory.MESSAGE_PROCESSING_ERROR]: hits('throw'),
      [ErrorCategory.CONNECTION_ERROR]: hits('kill'),
      [ErrorCategory.TIMEOUT_ERROR]: hits('hang', 'loop'),
    });
    const all = hits('throw', 'kill', 'hang', 'loop');
    expect([errorsRecovered, errorStatistics?.totalErrors]).toEqual([all, all]);
  }, 60_000);

  it('at every attempt: exactly the chosen ones are given up, a corrupt record as the bytes it is', async () => {
    const given = {
      throw: { reason: 'retries_exhausted', error_category: ErrorCategory.MESSAGE_PROCESSING_ERROR, failed: 3 },
      kill: { reason: 'poison', error_category: ErrorCategory.CONNECTION_ERROR, failed: 2 },
      outOfMemory: { reason: 'not_retryable', error_category: ErrorCategory.RESOURCE_EXHAUSTION, failed: 1 },
      corrupt: { undecodable: true, error_category: ErrorCategory.SERIALIZATION_ERROR, failed: 2 },
    };
    const kinds = Object.keys(given) as (keyof typeof given)[];
    const rates = Object.fromEntries(kinds.map((kind) => [kind, 0.08]));
    const { bus, ids, hit } = await suffering({ ...rates, seed: 30, attempts: Number.POSITIVE_INFINITY }, 20);
    for (const kind of kinds) expect(hit(kind)).not.toEqual([]);
    await bus.settled(STEP);
    const chosen = kinds.flatMap(hit);
    expect(bus.ledger.deadLettered('s').sort()).toEqual([...chosen].sort());
    expect(bus.ledger.succeeded('s').sort()).toEqual(ids.filter((id) => !chosen.includes(id)).sort());
    const letters = await bus.deadLetters();
    for (const kind of kinds)
      for (const id of hit(kind)) expect(letters.find(({ message }) => message.id === id)).toMatchObject(given[kind]);
    for (const { message } of letters.filter(({ undecodable }) => undecodable))
      expect([...(message.payload as Uint8Array).subarray(0, 4)]).toEqual([255, 255, 255, 255]);
  });

  it('delay: nothing goes on before its time, and time passes for nobody who works', async () => {
    const { bus, hit } = await suffering({ delay: 0.3, delayMs: 5_000, seed: 5 }, 10);
    const delayed = hit('delay').length;
    expect(delayed).toBeGreaterThan(0);
    const start = bus.clock.elapsed();
    bus.publish('a', { realMs: 40 });
    await bus.settled(STEP);
    expect(bus.clock.elapsed() - start).toBe(5_000 * (delayed + (bus.faultOf('s', 'test-a') === 'delay' ? 1 : 0)));
    expect(bus.getHealthStatus().errorStatistics?.totalErrors).toBe(0);
  });

  it('after the handler has run: a retry does its work a second time', async () => {
    const bus = await testBus({ faults: { throw: 1, when: 'after' } });
    await bus.subscribe('a', counts, { subscriberId: 's' });
    const reply = bus.request('a', null, { timeoutMs: 60_000 });
    await bus.settled(STEP);
    expect(await reply).toBe(2);
  });

  it('with several handlers at once: all faults together, and the guilty alone are charged', async () => {
    // With this seed, each fault hits one delivery at least, and four end their thread.
    const rates = { throw: 0.08, hang: 0.04, loop: 0.04, kill: 0.04, outOfMemory: 0.04, corrupt: 0.06, delay: 0.08 };
    const { bus, ids, hit } = await suffering({ ...rates, seed: 207 }, 30, {}, 4);
    for (const kind of FAULT_KINDS) expect(hit(kind)).not.toEqual([]);
    await bus.settled(STEP);
    const lost = [...hit('outOfMemory'), ...hit('corrupt')].sort();
    expect({ seed: bus.seed, lost: bus.ledger.deadLettered().sort() }).toEqual({ seed: bus.seed, lost });
    expect(bus.ledger.succeeded().sort()).toEqual(ids.filter((id) => !lost.includes(id)).sort());
  }, 60_000);
});

describe('a full disk', () => {
  it('keeps dead letters in memory until there is room, and health says so', async () => {
    const bus = await testBus({ faults: { throw: 1, attempts: Number.POSITIVE_INFINITY } });
    await bus.subscribe('a', counts, {
      subscriberId: 's',
      retry: { message_processing_error: { maxRetries: 0, backoffMs: 0 } },
    });
    bus.setDiskFull(true);
    for (let n = 0; n < 3; n++) bus.publish('a', null);
    await bus.until(({ subscriptions }) => subscriptions[0]?.deadLettered === 3);
    expect(bus.getHealthStatus()).toMatchObject({ subscriptions: [{ pending: 0 }], logging: { unpersisted: 3 } });
    expect(linesOf(join(bus.folder, 'message_bus_errors.json'))).toEqual([]);
    expect(bus.getHealthStatus().reasons.join()).toMatch(/the error log cannot be written since 2030-01-01T/);
    bus.setDiskFull(false);
    await bus.until(({ logging }) => logging?.deadLetters === 3);
    expect(await bus.deadLetters()).toHaveLength(3);
    expect(bus.getHealthStatus().logging).toMatchObject({ unpersisted: 0, lostLetters: 0 });
    await bus.errorLogger?.flush();
    expect(linesOf(join(bus.folder, 'message_bus_errors.json')).length).toBeGreaterThan(2);
    expect(bus.getHealthStatus().reasons.join()).not.toContain('cannot be written');
    expect(bus.getHealthStatus().logging).toMatchObject({ failingSince: null });
  });

  it('is told when a log folder is opened, which it can be once there is room', async () => {
    const disk = DiskFaults.allocate(0);
    disk.isFull = true;
    const logging = Logging.of(temporaryFolder(), undefined, {}, {}, { time: null, disk: disk.memory });
    await expect(logging.open()).rejects.toMatchObject({
      code: 'BUSBAR_LOG_FOLDER',
      message: expect.stringContaining('ENOSPC'),
    });
    disk.isFull = false;
    await logging.open();
    await logging.close();
  });

  it('at a rate: every letter is on the disk in the end', async () => {
    const { bus, ids } = await suffering({ throw: 1, attempts: 99, diskFull: 0.3, seed: 11 }, 12);
    await bus.settled(STEP);
    await bus.until(({ logging }) => logging?.deadLetters === ids.length);
    expect((await bus.deadLetters()).map(({ message }) => message.id).sort()).toEqual(ids.sort());
    expect(bus.getHealthStatus().logging?.failedWrites).toBeGreaterThan(0);
  });
});

describe('a test bus', () => {
  it('lists what became of each delivery, by subscription, and is settled only when what handlers published is, too', async () => {
    const bus = await testBus();
    const ledger = join(bus.folder, 'ledger');
    await bus.subscribe('a', misbehaves, { subscriberId: 's' });
    await bus.subscribe('a', () => undefined, { subscriberId: 'main' });
    for (const deed of [undefined, 'discard', 'give up', 'throw once']) bus.publish('a', { n: 1, ledger, deed });
    bus.publish('a', { n: 1, ledger }, { id: 'mine' });
    await bus.settled(STEP);
    expect(bus.ledger.succeeded('s').sort()).toEqual(['mine', 'test-0', 'test-3']);
    expect(bus.ledger.succeeded('main')).toHaveLength(5);
    expect(bus.ledger.dropped()).toEqual(['test-1']);
    expect(bus.ledger.entries('s').filter(({ outcome }) => outcome !== 'succeeded')).toEqual([
      { subscriberId: 's', topic: 'a', id: 'test-1', outcome: 'dropped', reason: 'discarded' },
      { subscriberId: 's', topic: 'a', id: 'test-2', outcome: 'deadLettered', reason: 'rejected_by_handler' },
    ]);
    await bus.subscribe('b', publishes, { subscriberId: 'p' });
    const heard: unknown[] = [];
    await bus.subscribe('out.>', (payload) => heard.push(payload), { subscriberId: 'd' });
    bus.publish('b', { n: 1, fail: true });
    await bus.settled(STEP);
    expect(bus.ledger.succeeded('d').sort()).toEqual(['test-5:1', 'test-5:2']);
    expect(heard).toHaveLength(2);
  });

  it('says what is pending, and the seed, when it waits in vain', async () => {
    const bus = await testBus({ faults: { hang: 1, seed: 99 } });
    await bus.subscribe('a', counts, { subscriberId: 's' });
    bus.publish('a', null);
    await bus.running();
    const waiting = bus.settled({ timeoutMs: 20 });
    await expect(waiting).rejects.toMatchObject({
      code: 'BUSBAR_NOT_SETTLED',
      message: expect.stringMatching(/"pending":1.*seed 99/),
    });
    await expect(bus.until(() => false, { timeoutMs: 1 })).rejects.toMatchObject({ code: 'BUSBAR_NOT_SETTLED' });
    await expect(bus.until(() => true, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
  });

  it('steps over a breaker that is open, stamps letters with its own time, and takes its folder away', async () => {
    const bus = await testBus({ faults: { throw: 1 } });
    const retry = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
    await bus.subscribe('a', counts, { subscriberId: 's', retry, breaker: { failureThreshold: 2 } });
    const start = bus.clock.elapsed();
    for (let n = 0; n < 4; n++) bus.publish('a', null);
    await bus.settled(STEP);
    // Two failures open it; each probe fails, and opens it again.
    expect(bus.clock.elapsed() - start).toBeGreaterThanOrEqual(120_000);
    expect(bus.ledger.deadLettered()).toHaveLength(4);
    const [letter] = await bus.deadLetters();
    expect(new Date((letter?.timestamp ?? 0) * 1000).getUTCFullYear()).toBe(2030);
    expect(await bus.errorLogger?.getErrorStatistics()).toMatchObject({ recentErrors1h: 4 });
    expect(existsSync(bus.folder)).toBe(true);
    await bus.stop();
    expect(existsSync(bus.folder)).toBe(false);
  });

  it('runs in real time when asked', async () => {
    const bus = await testBus({ clock: 'system', faults: { throw: 1, delayMs: 1 } });
    const retry = { message_processing_error: { maxRetries: 1, backoffMs: 1 } };
    await bus.subscribe('a', counts, { subscriberId: 's', retry });
    bus.publish('a', null);
    await bus.settled();
    expect(bus.ledger.succeeded()).toEqual(['test-0']);
    expect(() => bus.step(1)).toThrow('stepped clock');
  });
});
