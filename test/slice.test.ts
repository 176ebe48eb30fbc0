// What plain functions may do in one turn of the event loop.
import { describe, expect, it } from '@jest/globals';
import { encodePayload } from '../src/shared/codec.js';
import type { Delivery } from '../src/shared/delivery.js';
import { SteppedClock } from '../src/testing/index.js';
import type { LaneEvents, LaneSurroundings } from '../src/threads/lane-contract.js';
import { MainLane } from '../src/threads/main-lane.js';
import type { MainLaneOptions } from '../src/threads/main-lane-options.js';
import { Slice } from '../src/threads/slice.js';

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));

/** How many calls of so many milliseconds begin before the loop has its turn. */
function callsOf(slice: Slice, ms: number): number {
  let calls = 0;
  for (; slice.begins(); calls++) slice.spend(ms);
  return calls;
}

describe('a slice of a turn', () => {
  it('is one call that takes long, or so many short ones as take ten milliseconds, or 4096 that take no time', async () => {
    const slice = new Slice();
    for (const [ms, calls] of [
      [5, 1],
      [0.4, 3],
      [0.0078125, 1280],
      [0, 4096],
    ] as const) {
      expect(callsOf(slice, ms)).toBe(calls);
      expect(slice.begins()).toBe(false);
      await turn();
    }
  });
});

/** A lane all of whose calls, and all that it hands back, hold the loop for five milliseconds: the turns in which they do. */
function lanes(changes: Partial<MainLaneOptions> = {}) {
  const clock = new SteppedClock();
  const busy: number[] = [];
  let turns = 0;
  const hold = (): void => {
    busy.push(turns);
    clock.step(5);
  };
  const options = {
    ...{ handle: async () => hold(), call: {}, names: { instance: 'i', pattern: 'a' }, breaker: null, rate: null },
    ...{ deadline: { isObserved: false, timeoutMs: 1000, maxTimeoutMs: 1000, minTimeoutMs: 1000 }, graceMs: 0 },
    ...{ concurrency: 100, order: null, whenOpen: 'dead-letter', tellsSuccess: false, tellsHandled: false },
    describer: {},
  };
  const lane = new MainLane(
    { ...options, ...changes } as MainLaneOptions,
    { clock, watch: () => undefined, breakers: {} } as unknown as LaneSurroundings,
    { handedBack: hold, heard: () => undefined } as unknown as LaneEvents,
  );
  const delivery = (number: number, expiresAt = 0): Delivery => ({
    ...{ id: '', topic: 'a', key: null, priority: 'normal', headers: null, publishedAt: 0, lossy: false, expiresAt },
    ...{ number, wantsReply: false, started: 0, failed: 0, kills: 0, timeouts: 0, ...encodePayload(number) },
  });
  const nextTurn = async (): Promise<void> => {
    await turn();
    turns++;
  };
  /** The most that happened in one turn, once so many have. */
  const mostInATurn = async (many: number): Promise<number> => {
    while (busy.length < many) await nextTurn();
    return Math.max(...busy.map((one) => busy.filter((other) => other === one).length));
  };
  return { lane, delivery, busy, mostInATurn };
}

describe('a lane on main', () => {
  it('gives the loop its turn after a call that computes long before its first wait', async () => {
    const { lane, delivery, mostInATurn } = lanes();
    for (let n = 0; n < 10; n++) lane.queue(delivery(n));
    expect(await mostInATurn(10)).toBe(1);
  });

  it('takes no more from afar in a turn in which such a call did', async () => {
    const { lane, delivery, busy } = lanes();
    expect([1, 2].map((n) => lane.arrive(delivery(n)))).toEqual([true, false]);
    expect(busy).toHaveLength(1);
    await turn();
    expect(lane.arrive(delivery(2))).toBe(true);
  });

  it('has in flight what a handler is called with, and what it promises, until the lane is closed', async () => {
    const { lane, delivery } = lanes({ handle: () => watch() });
    const inFlight: number[] = [];
    let closing: Promise<Delivery[]> | undefined;
    const look = (): void => void inFlight.push(lane.inFlight, lane.unsettled);
    let watch = (): unknown => look();
    expect(lane.arrive(delivery(1))).toBe(true);
    look();
    watch = () => new Promise(look);
    expect(lane.arrive(delivery(2))).toBe(true);
    look();
    watch = () => new Promise(() => (closing = lane.close()));
    expect(lane.arrive(delivery(3))).toBe(true);
    look();
    expect((await closing)?.map(({ number, started }) => [number, started])).toEqual([
      [2, 1],
      [3, 1],
    ]);
    expect(inFlight).toEqual([1, 1, 0, 0, 1, 1, 1, 1, 0, 0]);
  });

  it('gives the loop its turn also while it hands back what may not start', async () => {
    const refusing = lanes({ breaker: { admits: () => false, enter: () => undefined } as never });
    for (let n = 0; n < 10; n++) refusing.lane.queue(refusing.delivery(n));
    expect(await refusing.mostInATurn(10)).toBe(1);
    const late = lanes();
    for (let n = 0; n < 10; n++) late.lane.queue(late.delivery(n, 1));
    expect(await late.mostInATurn(10)).toBe(1);
  });
});
