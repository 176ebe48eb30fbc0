// The breaker that opens on rates, over the last calls or the last while; and half-open probes under bad timing.
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CircuitBreaker } from '../src/index.js';
import { type BreakerOptions, type Permit, SharedBreaker } from '../src/shared/breaker.js';
import type { BreakerWindowOptions } from '../src/shared/breaker-window.js';
import { systemClock } from '../src/shared/clock.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';

function breakerOf(options: BreakerOptions) {
  const clock = new SteppedClock();
  const memory = SharedBreaker.allocate(options);
  return { clock, memory, breaker: new SharedBreaker(memory, clock) };
}

/** Enters, and fails the test when refused. */
function enter(breaker: SharedBreaker): Permit {
  const permit = breaker.enter();
  if (permit === undefined) throw new Error('refused');
  return permit;
}

/** Makes one call for each letter: s succeeds, f fails. */
function call(breaker: SharedBreaker, letters: string): void {
  for (const letter of letters) {
    const permit = enter(breaker);
    if (letter === 's') breaker.success(permit);
    else breaker.failure(permit);
  }
}

const rate = (window: BreakerWindowOptions): BreakerOptions => ({ window, recoveryTimeoutMs: 1000 });

describe('a window of calls', () => {
  it('opens exactly at the rate, and not below', () => {
    const { breaker } = breakerOf(rate({ calls: 10, minimumCalls: 10, failureRate: 0.3 }));
    call(breaker, 'ffssssssss');
    expect(breaker.state).toBe('closed');
    call(breaker, 'ff');
    expect(breaker.state).toBe('closed');
    call(breaker, 'f');
    expect(breaker.state).toBe('open');
  });

  it('judges nothing before the least number of calls, and then also when all have failed from the start', () => {
    const { breaker } = breakerOf(rate({ calls: 100 }));
    call(breaker, 'f'.repeat(19));
    expect(breaker.state).toBe('closed');
    call(breaker, 'f');
    expect(breaker.state).toBe('open');
  });

  it('opens at the success that makes up the number', () => {
    const { breaker } = breakerOf(rate({ calls: 4 }));
    call(breaker, 'ffss');
    expect(breaker.state).toBe('open');
  });

  it('starts empty after it has closed again, and after a reset', () => {
    const { breaker, clock } = breakerOf(rate({ calls: 4 }));
    call(breaker, 'ffff');
    clock.step(1000);
    call(breaker, 's');
    expect(breaker.state).toBe('closed');
    call(breaker, 'fff');
    breaker.reset();
    call(breaker, 'fff');
    expect(breaker.state).toBe('closed');
    call(breaker, 's');
    expect(breaker.state).toBe('open');
  });

  it('does what a list of the last calls does', () => {
    const options = fc
      .record({
        calls: fc.integer({ min: 1, max: 12 }),
        least: fc.integer({ min: 1, max: 12 }),
        failureRate: fc.constantFrom(0.1, 0.3, 0.5, 1),
      })
      .map(({ calls, least, failureRate }) => ({ calls, minimumCalls: Math.min(calls, least), failureRate }));
    fc.assert(
      fc.property(options, fc.array(fc.boolean(), { maxLength: 100, size: 'max' }), (window, results) => {
        const { breaker } = breakerOf(rate(window));
        const last: boolean[] = [];
        for (const hasFailed of results) {
          call(breaker, hasFailed ? 'f' : 's');
          last.push(hasFailed);
          if (last.length > window.calls) last.shift();
          const failed = last.filter(Boolean).length;
          const isOpen = last.length >= window.minimumCalls && failed / last.length >= window.failureRate;
          if ((breaker.state === 'open') !== isOpen) throw new Error(`${breaker.state} after ${last}`);
          if (!isOpen) continue;
          breaker.reset();
          last.length = 0;
        }
      }),
    );
  });
});

describe('a window of time', () => {
  const options = rate({ ms: 10_000, minimumCalls: 5 });

  it('has forgotten everything after an idle hour', () => {
    const { breaker, clock } = breakerOf(options);
    call(breaker, 'ffff');
    clock.step(3_600_000);
    call(breaker, 'f');
    expect(breaker.state).toBe('closed');
    call(breaker, 'ffff');
    expect(breaker.state).toBe('open');
  });

  it('forgets a tenth at a time', () => {
    const { breaker, clock } = breakerOf(options);
    call(breaker, 'ff');
    clock.step(5000);
    call(breaker, 'ff');
    clock.step(5000);
    call(breaker, 'ff');
    expect(breaker.state).toBe('closed');
    call(breaker, 'f');
    expect(breaker.state).toBe('open');
  });

  it('does what a list of timed calls does', () => {
    const ms = fc.oneof(fc.nat(50), fc.constantFrom(100, 400, 800, 900, 1000), fc.nat(3000), fc.constant(1e8));
    const step = fc.record({ ms, hasFailed: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 100, size: 'max' }),
        fc.constantFrom(0.3, 0.5, 1),
        (steps, failureRate) => {
          const { breaker, clock } = breakerOf(rate({ ms: 1000, minimumCalls: 3, failureRate }));
          const all: { slice: number; hasFailed: boolean }[] = [];
          for (const { ms, hasFailed } of steps) {
            clock.step(ms);
            call(breaker, hasFailed ? 'f' : 's');
            const slice = Math.floor(clock.elapsed() / 100);
            all.push({ slice, hasFailed });
            const recent = all.filter((one) => one.slice > slice - 10);
            const failed = recent.filter((one) => one.hasFailed).length;
            const isOpen = recent.length >= 3 && failed / recent.length >= failureRate;
            if ((breaker.state === 'open') !== isOpen) throw new Error(`${breaker.state} after ${JSON.stringify(all)}`);
            if (!isOpen) continue;
            breaker.reset();
            all.length = 0;
          }
        },
      ),
    );
  });
});

describe('slow calls', () => {
  const window: BreakerWindowOptions = { calls: 4, slowCallMs: 100, slowCallRate: 0.5 };

  function last(breaker: SharedBreaker, clock: SteppedClock, ms: number): void {
    const permit = enter(breaker);
    clock.step(ms);
    breaker.success(permit);
  }

  it('open it although they succeed', () => {
    const { breaker, clock } = breakerOf(rate(window));
    for (const ms of [100, 101, 5]) last(breaker, clock, ms);
    expect(breaker.state).toBe('closed');
    last(breaker, clock, 101);
    expect(breaker.state).toBe('open');
  });

  it('fail as probes', () => {
    const { breaker, clock } = breakerOf(rate(window));
    call(breaker, 'ffff');
    clock.step(1000);
    last(breaker, clock, 101);
    expect(breaker.state).toBe('open');
    clock.step(1000);
    last(breaker, clock, 100);
    expect(breaker.state).toBe('closed');
  });
});

describe('a breaker of many threads', () => {
  /** Fails calls of every breaker from several threads at once. */
  async function failAtOnce(memories: readonly SharedArrayBuffer[], threads: number, calls: number): Promise<void> {
    const url = new URL('./fixtures/fails-in-a-breaker.js', import.meta.url);
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    const workerData = { memories, arrived, threads, calls };
    const workers = Array.from({ length: threads }, () => new Worker(url, { workerData, execArgv: [] }));
    const ends = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    expect(await Promise.all(ends)).toEqual(Array.from({ length: threads }, () => 0));
  }

  it.each([{ calls: 200 }, { ms: 3_600_000 }])('counts every result once in %j', async (size) => {
    const memory = SharedBreaker.allocate({ window: { ...size, minimumCalls: 200, failureRate: 1 } });
    await failAtOnce([memory], 4, 49);
    // 4 calls are missing, and the very last one opens it.
    const breaker = new SharedBreaker(memory, systemClock);
    call(breaker, 'fff');
    expect(breaker.state).toBe('closed');
    call(breaker, 'f');
    expect(breaker.state).toBe('open');
  });

  it('counts the results of all threads that meet where a slice begins', async () => {
    const window = { ms: 3_600_000, minimumCalls: 3, failureRate: 1 };
    const memories = Array.from({ length: 300 }, () => SharedBreaker.allocate({ window }));
    await failAtOnce(memories, 2, 1);
    const breakers = memories.map((memory) => new SharedBreaker(memory, systemClock));
    for (const breaker of breakers) call(breaker, 'f');
    expect(breakers.filter((breaker) => breaker.state !== 'open')).toEqual([]);
  });

  it('lets no second probe through while the first is just being let through', () => {
    const { memory, clock, breaker } = breakerOf({ failureThreshold: 1, recoveryTimeoutMs: 10 });
    call(breaker, 'f');
    clock.step(1e6);
    const other = new SharedBreaker(memory, clock);
    let admitted = 0;
    // Whenever the one asks for the time, the other tries: the worst moments that two threads can find.
    const interrupted = new SharedBreaker(memory, {
      ...clock,
      now: clock.now,
      elapsed: () => {
        if (other.enter() !== undefined) admitted++;
        return clock.elapsed();
      },
    } as SteppedClock);
    if (interrupted.enter() !== undefined) admitted++;
    expect(admitted).toBe(1);
  });

  it('closes although its probes take longer than the recovery time', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 1, recoveryTimeoutMs: 300 });
    call(breaker, 'f');
    clock.step(300);
    const probe = enter(breaker);
    for (let n = 0; n < 10; n++) {
      clock.step(100);
      expect(breaker.enter()).toBeUndefined();
    }
    breaker.success(probe);
    expect(breaker.state).toBe('closed');
  });

  it('stays as one of two failures that end together has left it', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 1, recoveryTimeoutMs: 100 });
    const [first, second] = [enter(breaker), enter(breaker)];
    breaker.failure(first);
    clock.step(60);
    breaker.failure(second);
    expect(breaker.retryAfterMs).toBe(40);
    clock.step(40);
    expect(breaker.state).toBe('half_open');
  });
});

describe('the options of a window', () => {
  it.each<[unknown, string]>([
    [{}, 'window'],
    [null, 'window'],
    [5, 'window'],
    [{ calls: 10, ms: 1000 }, 'window'],
    [{ calls: 0 }, 'window.calls'],
    [{ calls: 1.5 }, 'window.calls'],
    [{ calls: 10_001 }, 'window.calls'],
    [{ ms: 99 }, 'window.ms'],
    [{ ms: Number.NaN }, 'window.ms'],
    [{ calls: 10, minimumCalls: 11 }, 'window.minimumCalls'],
    [{ calls: 10, failureRate: 0 }, 'window.failureRate'],
    [{ calls: 10, failureRate: '0.5' }, 'window.failureRate'],
    [{ calls: 10, slowCallRate: 1.1 }, 'window.slowCallRate'],
    [{ calls: 10, slowCallMs: 0 }, 'window.slowCallMs'],
  ])('are refused when they are %j', (window, option) => {
    expect(() => new CircuitBreaker({ window: window as BreakerWindowOptions })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION', message: expect.stringContaining(`${option} must be`) }),
    );
  });

  it('exclude a number of failures in a row', () => {
    expect(() => new CircuitBreaker({ window: { calls: 10 }, failureThreshold: 5 })).toThrow('failureThreshold');
    expect(() => new CircuitBreaker({ halfOpenMaxWaitMs: 0 })).toThrow('halfOpenMaxWaitMs');
  });

  it('serve a breaker of its own', async () => {
    const breaker = new CircuitBreaker({ window: { calls: 4 } });
    const fails = (): never => {
      throw new Error('down');
    };
    for (const run of [fails, () => 1, fails, () => 1]) await breaker.execute(run).catch(() => undefined);
    expect(breaker.state).toBe('open');
    await expect(breaker.execute(() => 1)).rejects.toMatchObject({ code: 'BUSBAR_BREAKER_OPEN' });
  });
});
