// The thread under a lane: what handlers leave behind on it, and what it loads.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { type Clock, systemClock } from '../src/shared/clock.js';
import { AttemptContext, type ContextOutlet } from '../src/shared/context.js';
import { type Delivery, type DeliveryHead, markProbe } from '../src/shared/delivery.js';
import { logFields } from '../src/shared/log-fields.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';
import type { LaneRing } from '../src/threads/lane-ring.js';
import { LaneRings } from '../src/threads/lane-rings.js';
import { errorOf } from './error-of.js';
import leavesThingsBehind from './fixtures/leaves-things-behind.js';
import misbehaves from './fixtures/misbehaves.js';
import neverSetsUp from './fixtures/never-sets-up.js';
import returnsThenables, { returnThenable } from './fixtures/returns-thenables.js';
import setsUp, { mood } from './fixtures/sets-up.js';
import { shareBus } from './shared-bus.js';
import { accountOf, fixture, lettersOf, linesOf, temporaryFolder } from './test-bus.js';

const shared = shareBus();
const standby = shareBus({ spareThreads: 1 });

describe('a thread', () => {
  it('on which a settled handler left a loop is ended, and no message is charged for it', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const options = { timeoutMs: 300, graceMs: 50, breaker: false as const };
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...options });
    await bus.subscribe('others', misbehaves, { subscriberId: 's', ...options });
    bus.publish('deeds', { n: 0, ledger, deed: 'loop after the end' });
    await bus.idle();
    await new Promise((resume) => setTimeout(resume, 20));
    bus.publish('deeds', { n: 1, ledger });
    bus.publish('others', { n: 2, ledger });
    await bus.idle();
    expect(
      linesOf(ledger)
        .filter((line) => line.startsWith('start'))
        .sort(),
    ).toEqual(['start 0 1', 'start 1 1', 'start 2 1']);
    expect(await lettersOf(bus)).toEqual([]);
    expect(shared.replaced()).toBe(1);
  });

  it('in a native call at its deadline has its lane to itself until that is over, and is told of', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const options = { timeoutMs: 250, graceMs: 10, breaker: false as const };
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...options });
    bus.publish('deeds', { n: 0, ledger, deed: 'be in a native call once' });
    bus.publish('deeds', { n: 1, ledger });
    await bus.idle();
    const lines = linesOf(ledger);
    expect(lines.slice(0, 4)).toEqual(['start 0 1', 'native call over', 'start 0 2', 'done 0']);
    expect(lines.slice(4)).toEqual(['start 1 1', 'done 1']);
    expect(await shared.reports()).toContainEqual(
      expect.objectContaining({
        component: 'subscription deeds#s',
        message: expect.stringContaining('still runs 1000 ms later'),
      }),
    );
  });

  it('has the function of an attempt that a late throw has failed settle before the next attempt begins', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', concurrency: 2, breaker: false });
    bus.publish('deeds', { n: 0, ledger, deed: 'float a rejection' }, { key: 'a' });
    bus.publish('deeds', { n: 1, ledger, deed: 'throw from a timer' }, { key: 'b' });
    await bus.idle();
    for (const n of [0, 1]) {
      const attempts = [1, 2, 3].flatMap((attempt) => [`start ${n} ${attempt}`, `done ${n}`]);
      expect(linesOf(ledger).filter((line) => line.split(' ')[1] === `${n}`)).toEqual(attempts);
    }
    expect((await lettersOf(bus)).map(({ failed, error }) => [failed, error.message]).sort()).toEqual([
      [3, 'floated'],
      [3, 'thrown from a timer'],
    ]);
    expect(shared.replaced()).toBe(0);
  });

  it('is ended for such a function that does not settle, once those beside it have', async () => {
    const { bus } = shared;
    const ledger = join(temporaryFolder(), 'ledger');
    const options = { concurrency: 2, graceMs: 30, breaker: false as const };
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...options });
    bus.publish('deeds', { n: 0, ledger, deed: 'float a rejection and never settle' }, { key: 'a' });
    for (let n = 1; n < 6; n++) bus.publish('deeds', { n, ledger, deed: 'wait' }, { key: 'b' });
    await bus.idle();
    expect(await lettersOf(bus)).toMatchObject([
      { message: { payload: { n: 0 } }, failed: 3, error: { name: 'TypeError', message: 'floated' } },
    ]);
    expect(shared.replaced()).toBe(3);
    const starts = linesOf(ledger).filter((line) => line.startsWith('start'));
    expect(starts.filter((line) => !line.startsWith('start 0')).sort()).toEqual(
      [1, 2, 3, 4, 5].map((n) => `start ${n} 1`),
    );
    expect(await shared.reports()).not.toContainEqual(expect.objectContaining({ exception_type: 'BusbarError' }));
  });

  it.each([
    ['a worker', returnsThenables],
    ['the main thread', returnThenable],
  ])('lives on when a handler returns a thenable that throws: %s', async (_where, handler) => {
    const { bus } = shared;
    const retry = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
    await bus.subscribe('then', handler as typeof returnsThenables, { subscriberId: 's', breaker: false, retry });
    bus.publish('then', 'getter');
    bus.publish('then', 'call');
    expect(await bus.request('then', 'none')).toBe('fine');
    await bus.idle();
    const messages = (await lettersOf(bus)).map(({ error }) => error.message);
    expect(messages.sort()).toEqual(['thrown by the call', 'thrown by the getter']);
    expect(shared.replaced()).toBe(0);
  });

  it("goes by the system's time, where the bus has a clock that it does not see", async () => {
    const started = performance.now();
    const clock: Clock = { ...systemClock, elapsed: () => performance.now() - started };
    const retry = { timeout_error: { maxRetries: 0, backoffMs: 0 } };
    const bus = await shared.beside({ clock, retry });
    const options = { timeoutMs: 100, graceMs: 20, breaker: false as const };
    await bus.subscribe('deeds', misbehaves, { subscriberId: 's', ...options });
    bus.publish('deeds', { n: 0, ledger: join(temporaryFolder(), 'ledger'), deed: 'loop' });
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ deadLettered: 1 });
  });

  it('passes on what JSON cannot hold, and reports what a handler publishes after its end', async () => {
    const { bus } = shared;
    await bus.subscribe('behind', leavesThingsBehind, { subscriberId: 's' });
    const line = new Promise((resolve) => bus.once('log', resolve));
    bus.publish('behind', 'log');
    expect(await line).toMatchObject({
      fields: { rowId: '5', self: '[circular]', error: { name: 'RangeError', message: 'the reason' } },
    });
    bus.publish('behind', 'publish');
    while ((await shared.reports()).length === 0) await new Promise((resume) => setTimeout(resume, 5));
    expect(await shared.reports()).toMatchObject([{ message: expect.stringContaining('ctx.publish to other after') }]);
  });

  it('tries a set-up again that has failed there', async () => {
    const { bus } = shared;
    writeFileSync(mood, 'the server is away');
    const failed = bus.subscribe('set-up', setsUp, { subscriberId: 's' });
    await expect(failed).rejects.toMatchObject({ code: 'BUSBAR_HANDLER_LOAD' });
    rmSync(mood);
    await bus.subscribe('set-up', setsUp, { subscriberId: 's' });
    expect(await bus.request('set-up', 1)).toBe(1);
  });
});

describe('a handler whose set-up hangs', () => {
  it('is refused after its time, which costs the lanes nothing where a thread stands by', async () => {
    const { bus } = standby;
    await bus.subscribe('set-up', setsUp, { subscriberId: 's' });
    let isOver = false;
    const refused = bus.subscribe('never', neverSetsUp, { subscriberId: 's', setupTimeoutMs: 1000 }).catch((error) => {
      isOver = true;
      return error;
    });
    expect([await bus.request('set-up', 1), isOver]).toEqual([1, false]);
    expect(await refused).toMatchObject({
      code: 'BUSBAR_HANDLER_LOAD',
      message: expect.stringMatching(/^setup of handler module .*never-sets-up.js has not ended within 1000 ms$/),
    });
    expect(await standby.reports()).toMatchObject([{ category: 'configuration_error' }]);
    expect(await bus.request('set-up', 2)).toBe(2);
  });

  it('has its import told from its set-up, and the error has no cause that says the same again', async () => {
    const bus = await shared.beside();
    const error = await errorOf(() =>
      bus.subscribe('a', fixture('never-imports'), { subscriberId: 's', setupTimeoutMs: 300 }),
    );
    expect(error.message).toMatch(/^import of handler module \S+never-imports\.js has not ended within 300 ms$/);
    expect([error.code, error.cause]).toEqual(['BUSBAR_HANDLER_LOAD', undefined]);
  });

  it('may have any time above 0, however long or uneven, also where a second thread loads it, too', async () => {
    const { bus } = standby;
    for (const [n, setupTimeoutMs] of [1500.5, 3e9, 2 ** 33, Number.MAX_SAFE_INTEGER].entries()) {
      await bus.subscribe(`set-up.${n}`, setsUp, { subscriberId: 's', setupTimeoutMs });
      expect(await bus.request(`set-up.${n}`, 1)).toBe(1);
    }
    expect(standby.replaced()).toBe(0);
  });
});

describe('a lane whose handler cannot be set up on the thread that takes over', () => {
  it('has it ended there when it hangs, says so, and stands still for as long', async () => {
    const bus = await shared.beside({ retry: { connection_error: { maxRetries: 0, backoffMs: 0 } } });
    // Threads begin with the first handler, which takes time that is not the second one's.
    await bus.subscribe('others', misbehaves, { subscriberId: 'others' });
    await bus.subscribe('set-up', setsUp, { subscriberId: 's', breaker: false, setupTimeoutMs: 600 });
    writeFileSync(mood, 'hang');
    bus.publish('set-up', -1);
    bus.publish('set-up', 1);
    const isHeld = (): boolean => bus.getHealthStatus().subscriptions[1]?.held === true;
    while (!isHeld()) await new Promise((resume) => setTimeout(resume, 5));
    rmSync(mood);
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 1 });
    expect(await shared.reports()).toContainEqual(
      expect.objectContaining({
        category: 'configuration_error',
        component: 'subscription set-up#s',
        message: expect.stringMatching(/^setup of handler module .*sets-up.js has not ended within 600 ms$/),
      }),
    );
  });

  it('tries again soon, and works when what set-up needs is back', async () => {
    const clock = new SteppedClock();
    const bus = await shared.beside({ clock, retry: { connection_error: { maxRetries: 0, backoffMs: 0 } } });
    await bus.subscribe('set-up', setsUp, { subscriberId: 's', breaker: false });
    writeFileSync(mood, 'the server is away');
    bus.publish('set-up', -1);
    bus.publish('set-up', 1);
    const isHeld = (): boolean => bus.getHealthStatus().subscriptions[0]?.held === true;
    while (!isHeld()) await new Promise((resume) => setTimeout(resume, 5));
    rmSync(mood);
    clock.step(2000);
    await bus.idle();
    expect(accountOf(bus, 's')).toMatchObject({ succeeded: 1, deadLettered: 1 });
  });
});

describe('what is logged', () => {
  it('is copied whatever it is, and bounded', () => {
    const hostile = {
      get secret() {
        throw new Error('no');
      },
    };
    expect(logFields({ hostile, map: new Map([[1, 2n]]), at: new Date(0), bytes: new Uint8Array(3) })).toEqual({
      hostile: '[unreadable]',
      map: [[1, '2']],
      at: '1970-01-01T00:00:00.000Z',
      bytes: '[3 bytes]',
    });
    const wide = logFields({ list: Array.from({ length: 1e5 }, () => ({ a: [1] })) });
    expect(JSON.stringify(wide).length).toBeLessThan(1e6);
    const { list } = wide as { list: unknown[] };
    expect([list.length < 5001, list.at(-1)]).toEqual([true, '[…]']);
    expect(logFields(undefined)).toBeNull();
  });
});

describe('the places of probes', () => {
  it('are found in the records of a dead thread, once, but for those of its culprits', () => {
    const rings = new LaneRings({ instance: 'i', pattern: 'a' }, { ringBytes: 65_536, concurrency: 2, depth: 9 }, null);
    const delivery = { topic: 'a', id: '', key: null, headers: null, priority: 'normal', bytes: new Uint8Array(8) };
    const words: number[] = [];
    for (let number = 0; number < 3; number++) {
      const whole = {
        ...delivery,
        number,
        codec: 0,
        publishedAt: 0,
        expiresAt: 0,
        started: 0,
        failed: 0,
        kills: 0,
        timeouts: 0,
      };
      rings.open(whole as unknown as Delivery);
      rings.write(whole as unknown as Delivery);
    }
    const ring = rings.rings[1] as LaneRing;
    ring.walk((word) => words.push(word) > 0);
    for (const word of words.slice(1)) markProbe(ring.writer, word);
    const culprit = { ring, word: words[1] as number, sequence: 1, startedAt: 0, timeouts: 0, runsAgain: false };
    expect([rings.takeProbes([culprit]), rings.takeProbes([])]).toEqual([1, 0]);
  });
});

describe('ids of what handlers publish', () => {
  it('do not grow without end, and are the same at each attempt', () => {
    const outlet = { assertFits: () => undefined, clock: { elapsed: () => 0 } } as unknown as ContextOutlet;
    const publishAs = (id: string): string => {
      const context = new AttemptContext({ id, number: 1, headers: null } as DeliveryHead, 'i', 1, 0, outlet);
      context.publish('a', 1);
      return context.publications?.[0]?.detail.id ?? '';
    };
    expect(publishAs('x')).toBe('x:1');
    let id = 'x';
    const seen = new Set<string>();
    for (let hop = 0; hop < 500; hop++) {
      const next = publishAs(id);
      expect(publishAs(id)).toBe(next);
      expect(next.length).toBeLessThanOrEqual(202);
      seen.add(next);
      id = next;
    }
    expect(seen.size).toBe(500);
  });
});
