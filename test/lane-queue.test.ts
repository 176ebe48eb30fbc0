// What waits behind the rings of a lane comes into them, at whatever step of main's the reader makes room.
import { describe, expect, it } from '@jest/globals';
import { type Clock, systemClock } from '../src/shared/clock.js';
import { DELIVERY_HEADER_BYTES, type Delivery } from '../src/shared/delivery.js';
import type { DrainTask } from '../src/shared/lane-task.js';
import { ENDED, STARTED, STATE } from '../src/shared/layout.js';
import { PRIORITIES } from '../src/shared/message.js';
import { type DetailedOutcome, Outcome, writeOutcome } from '../src/shared/outcome.js';
import { RingReader, RingWriter } from '../src/shared/ring.js';
import { RunningWord } from '../src/shared/running.js';
import { Lane } from '../src/threads/lane.js';
import type { LaneEvents, LaneOptions, LaneSurroundings } from '../src/threads/lane-contract.js';
import { LaneOutcomes } from '../src/threads/lane-outcomes.js';
import { LaneQueue } from '../src/threads/lane-queue.js';
import { LaneRing } from '../src/threads/lane-ring.js';
import { LaneSignals } from '../src/threads/lane-signals.js';
import { ThreadLost } from '../src/threads/pool.js';
import { RateLimit } from '../src/threads/rate-limit.js';
import { Turns } from '../src/threads/turns.js';

const deliveryOf = (number: number, priority: string): Delivery => {
  const counts = { publishedAt: 0, expiresAt: 0, started: 0, failed: 0, kills: 0, timeouts: 0 };
  const head = { topic: 'a', id: '', number, key: null, headers: null, priority, codec: 0, ...counts };
  return { ...head, bytes: new Uint8Array(8) } as unknown as Delivery;
};

/** Two of each priority are queued: one is in a ring, the other waits. */
function fullQueue(rate: RateLimit | null = null): LaneQueue {
  const shape = { ringBytes: 65_536, concurrency: 1, depth: 1 };
  const options = { names: { instance: 'i', pattern: 'a' }, shape, order: null, rate } as unknown as LaneOptions;
  const queue = new LaneQueue(options, { mayOpen: () => true, mayFeed: () => true, onRate: () => undefined });
  PRIORITIES.forEach((priority, place) => {
    queue.push(deliveryOf(2 * place, priority));
    queue.push(deliveryOf(2 * place + 1, priority));
  });
  return queue;
}

/** The reader has all that lies in the rings succeed. True: it wakes main, which has asked for the room. */
function readAll({ rings }: LaneQueue): boolean {
  let isRinging = false;
  for (const ring of rings.rings) {
    if (ring === null) continue;
    const reader = new RingReader(ring.memory);
    while (reader.next() >= 0) reader.countSuccess();
    reader.release();
    if (reader.hasWantedRoom) isRinging = true;
  }
  return isRinging;
}

/** Runs `code`, and `intrude` just before its atomic step number `at`. Returns how many steps there were. */
function stepwise(at: number, code: () => void, intrude: () => void): number {
  const { load, store } = Atomics;
  let steps = 0;
  const stepping =
    <A extends unknown[], R>(step: (...args: A) => R) =>
    (...args: A): R => {
      if (steps++ === at) {
        Object.assign(Atomics, { load, store });
        intrude();
        Object.assign(Atomics, { load: stepping(load), store: stepping(store) });
      }
      return step(...args);
    };
  Object.assign(Atomics, { load: stepping(load), store: stepping(store) });
  try {
    code();
  } finally {
    Object.assign(Atomics, { load, store });
  }
  return steps;
}

/** Main and the reader take turns until neither has a reason to go on. Returns how many deliveries wait still. */
function goOn(queue: LaneQueue): number {
  for (let isAwake = true; isAwake; ) {
    isAwake = queue.canRefill;
    if (isAwake) queue.refill();
    if (readAll(queue)) isAwake = true;
  }
  return queue.backlog.size;
}

describe('what waits behind full rings', () => {
  it('stays behind what lay in them when that goes back to main', () => {
    const queue = fullQueue();
    queue.refill();
    queue.emptyRings();
    expect(queue.rings.unsettled).toBe(0);
    expect(queue.takeAll().map(({ number }) => number)).toEqual([6, 7, 4, 5, 2, 3, 0, 1]);
  });

  it('comes in when the reader has made room', () => {
    const queue = fullQueue();
    queue.refill();
    expect([queue.backlog.size, queue.rings.unsettled]).toEqual([4, 4]);
    expect(goOn(queue)).toBe(0);
    expect(queue.unsettled).toBe(0);
  });

  it('comes in at whatever step of main the reader empties the rings', () => {
    const steps = stepwise(
      -1,
      () => fullQueue().refill(),
      () => undefined,
    );
    expect(steps).toBeGreaterThan(20);
    for (let at = 0; at < steps; at++) {
      const queue = fullQueue();
      stepwise(
        at,
        () => queue.refill(),
        () => readAll(queue),
      );
      expect([at, goOn(queue)]).toEqual([at, 0]);
    }
  });

  it('is not tried again and again while the rate limit, not the ring, holds it up', () => {
    const clock: Clock = { ...systemClock, after: () => ({ cancel: () => undefined }), elapsed: () => 0 };
    const steps = stepwise(
      -1,
      () => fullQueue().refill(),
      () => undefined,
    );
    for (let at = 0; at < steps; at++) {
      const queue = fullQueue(new RateLimit({ perSecond: 1, burst: 5 }, clock));
      stepwise(
        at,
        () => queue.refill(),
        () => readAll(queue),
      );
      expect([at, goOn(queue)]).toEqual([at, 3]);
    }
  });
});

describe('a record whose handler had ended when its thread died, and whose outcome found no room', () => {
  it.each([1, 2])('runs again, and tells so, where %s may run at a time', (concurrency) => {
    const names = { instance: 'i', pattern: 'a' };
    const ring = new LaneRing({ ringBytes: 65_536, concurrency, depth: 9 });
    for (const number of [0, 1]) ring.write(deliveryOf(number, 'normal'), names, 0);
    const reader = new RingReader(ring.memory);
    const word = reader.next();
    const running = new RunningWord(ring.memory);
    running.begin(0, 1);
    running.suspend(0);
    Atomics.store(reader.words, word + STATE, ENDED);
    expect([ring.started(), ring.repair()]).toEqual([[], []]);
    expect(ring.takeAll(names).map(({ number, started }) => [number, started])).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });
});

describe('a record of which main has heard that its handler succeeded when its thread died', () => {
  it.each([
    [1, false],
    [1, true],
    [2, false],
    [2, true],
  ])('does not run again, where %s may run at a time, counted or not: %s', (concurrency, isCounted) => {
    const names = { instance: 'i', pattern: 'a' };
    const ring = new LaneRing({ ringBytes: 65_536, concurrency, depth: 9 });
    for (const number of [0, 1, 2]) ring.write(deliveryOf(number, 'normal'), names, 0);
    const reader = new RingReader(ring.memory);
    const word = reader.next();
    new RunningWord(ring.memory).begin(0, 1);
    Atomics.store(reader.words, word + STATE, STARTED);
    ring.noteSettled(0);
    if (isCounted) reader.countSuccess();
    expect([ring.started().length, ring.repair().length]).toEqual([0, 0]);
    expect(ring.account()).toEqual({ succeeded: 1, unsettled: 2 });
    expect(ring.takeAll(names).map(({ number, started }) => [number, started])).toEqual([
      [1, 0],
      [2, 0],
    ]);
  });
});

describe('what attempts have come to whose functions run on', () => {
  it('waits for the end of their thread, and takes no room from what that has to tell until then', () => {
    const queue = fullQueue();
    queue.refill();
    const payload = Uint8Array.from([7, 7]);
    const { rings, large, outboxMemory } = queue.rings;
    large.add({ ...deliveryOf(0, 'low'), bytes: payload }, rings[0] as LaneRing);
    readAll(queue);
    queue.refill();
    readAll(queue);
    const told: [kind: number, bytes: Uint8Array][] = [];
    const handedBack: LaneEvents['handedBack'] = ({ bytes }, { kind }) => void told.push([kind, bytes]);
    const events = { handedBack, news: () => undefined, heard: () => undefined } as Partial<LaneEvents>;
    const options = { names: { instance: 'i', pattern: 'a' }, order: null } as unknown as LaneOptions;
    const owner = { queue: () => undefined };
    const outcomes = new LaneOutcomes(options, queue, new LaneSignals(), events as LaneEvents, owner);
    const address = { place: 0, sequence: 0, isPastOthers: false };
    const writer = new RingWriter(outboxMemory);
    const write = (kind: DetailedOutcome): boolean =>
      writeOutcome(writer, kind, address, {} as never, new Uint8Array(DELIVERY_HEADER_BYTES + 50_000));
    let abandoned = 0;
    while (write(Outcome.ABANDONED)) abandoned++;
    outcomes.read(Number.POSITIVE_INFINITY, true);
    expect([outcomes.hasNext, told.length, write(Outcome.LOGGED)]).toEqual([false, 0, true]);
    outcomes.read(Number.POSITIVE_INFINITY, true);
    queue.goOn();
    expect([outcomes.hasNext, told]).toEqual([false, []]);
    outcomes.read(1, false);
    expect([outcomes.hasNext, told.length]).toEqual([false, abandoned]);
    // All are of the same message here: the first one has its payload, which lay in memory of its own.
    expect(told[0]).toEqual([Outcome.FAILED, payload]);
  });

  it('waits also while their thread has been told to end, and has not', async () => {
    let task: DrainTask | undefined;
    let lose: (lost: ThreadLost) => void = () => undefined;
    const run = (given: DrainTask): Promise<never> => {
      task = given;
      return new Promise((_, reject) => {
        lose = reject;
      });
    };
    const told: number[] = [];
    const handedBack: LaneEvents['handedBack'] = (_, { kind }) => void told.push(kind);
    const events = { handedBack, heard: () => undefined } as Partial<LaneEvents> as LaneEvents;
    const shape = { ringBytes: 65_536, concurrency: 1, depth: 1 };
    const deadline = { timeoutMs: 1000, isObserved: false, minTimeoutMs: 0, maxTimeoutMs: 1000 };
    const nothing = { breaker: null, order: null, rate: null, testing: null };
    const names = { instance: 'i', pattern: 'a' };
    const options = { names, handler: {}, shape, deadline, graceMs: 0, ...nothing } as unknown as LaneOptions;
    const pool = { run } as unknown as LaneSurroundings['pool'];
    const others = {
      turns: new Turns(1),
      clock: systemClock,
      takeMs: () => 1000,
      watch: () => undefined,
      breakers: {},
    };
    const lane = new Lane(options, { pool, ...others } as unknown as LaneSurroundings, events);
    expect([lane.offer(deliveryOf(0, 'low')), lane.state]).toEqual([true, 'draining']);
    const writer = new RingWriter((task as unknown as DrainTask).outbox);
    const address = { place: 0, sequence: 0, isPastOthers: false };
    writeOutcome(writer, Outcome.ABANDONED, address, {} as never, new Uint8Array(DELIVERY_HEADER_BYTES));
    let end: () => void = () => undefined;
    lose(new ThreadLost('killed', new Promise((resolve) => (end = resolve)), null));
    const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));
    await turn();
    lane.collect(1000);
    expect([lane.state, told]).toEqual(['ending', []]);
    end();
    await turn();
    expect([lane.state, told, lane.unsettled]).toEqual(['idle', [Outcome.FAILED], 0]);
  });
});
