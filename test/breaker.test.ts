// The circuit breaker: against a plain model, over time, and under many threads.
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CircuitBreaker } from '../src/index.js';
import { type BreakerOptions, type Permit, SharedBreaker } from '../src/shared/breaker.js';
import { systemClock } from '../src/shared/clock.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';

function breakerOf(options: BreakerOptions = {}) {
  const clock = new SteppedClock();
  return { clock, breaker: new SharedBreaker(SharedBreaker.allocate(options), clock) };
}

/** Enters, and fails the test when refused. */
function enter(breaker: SharedBreaker): Permit {
  const permit = breaker.enter();
  if (permit === undefined) throw new Error('refused');
  return permit;
}

function open(breaker: SharedBreaker, failures: number): void {
  for (let n = 0; n < failures; n++) breaker.failure(enter(breaker));
}

describe('a breaker', () => {
  it('opens at the given number of failures in a row, and refuses for the given time', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 3, recoveryTimeoutMs: 1000 });
    open(breaker, 2);
    expect(breaker.state).toBe('closed');
    open(breaker, 1);
    expect([breaker.state, breaker.admits(), breaker.enter(), breaker.retryAfterMs]).toEqual([
      'open',
      false,
      undefined,
      1000,
    ]);
    clock.step(999);
    expect(breaker.admits()).toBe(false);
    clock.step(1);
    expect([breaker.state, breaker.admits()]).toEqual(['half_open', true]);
  });

  it('forgets its failures at any success', () => {
    const { breaker } = breakerOf({ failureThreshold: 3 });
    for (let round = 0; round < 5; round++) {
      open(breaker, 2);
      breaker.success(enter(breaker));
    }
    expect(breaker.state).toBe('closed');
  });

  it('lets exactly the permitted probes through, and closes when all have succeeded', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 1, recoveryTimeoutMs: 10, halfOpenProbes: 2 });
    open(breaker, 1);
    clock.step(10);
    const probes = [enter(breaker), enter(breaker)];
    expect([breaker.enter(), breaker.admits()]).toEqual([undefined, false]);
    breaker.success(probes[0] as Permit);
    expect(breaker.state).toBe('half_open');
    breaker.success(probes[1] as Permit);
    expect(breaker.state).toBe('closed');
  });

  it('opens again for the whole time when a probe fails', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 5, recoveryTimeoutMs: 10 });
    open(breaker, 5);
    clock.step(10);
    breaker.failure(enter(breaker));
    expect([breaker.state, breaker.retryAfterMs]).toEqual(['open', 10]);
  });

  it('frees the place of a probe that came to nothing', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 1, recoveryTimeoutMs: 10 });
    open(breaker, 1);
    clock.step(10);
    breaker.release(enter(breaker));
    expect(breaker.admits()).toBe(true);
  });

  it('cannot stick when a probe never comes back', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 1, recoveryTimeoutMs: 5, halfOpenMaxWaitMs: 10 });
    open(breaker, 1);
    clock.step(5);
    const lost = enter(breaker);
    clock.step(9);
    expect(breaker.admits()).toBe(false);
    clock.step(1);
    const next = enter(breaker);
    breaker.failure(lost);
    expect(breaker.state).toBe('half_open');
    breaker.success(next);
    expect(breaker.state).toBe('closed');
  });

  it('ignores what began before it opened', () => {
    const { breaker } = breakerOf({ failureThreshold: 2 });
    const early = [enter(breaker), enter(breaker), enter(breaker), enter(breaker)] as const;
    breaker.failure(early[0]);
    breaker.failure(early[1]);
    expect(breaker.state).toBe('open');
    breaker.success(early[2]);
    breaker.failure(early[3]);
    expect(breaker.state).toBe('open');
    breaker.reset();
    breaker.failure(early[3]);
    open(breaker, 1);
    expect(breaker.state).toBe('closed');
  });

  it('obeys when it is opened, disabled or reset by hand', () => {
    const { breaker, clock } = breakerOf({ failureThreshold: 1 });
    breaker.forceOpen();
    clock.step(1e9);
    expect([breaker.state, breaker.admits(), breaker.enter()]).toEqual(['forced_open', false, undefined]);
    breaker.disable();
    open(breaker, 10);
    expect([breaker.state, breaker.admits()]).toEqual(['disabled', true]);
    breaker.reset();
    expect(breaker.state).toBe('closed');
  });

  it('does what a plain model does, whatever happens', () => {
    const step = fc.oneof(
      fc.constantFrom('succeed' as const, 'fail' as const, 'reset' as const),
      fc.integer({ min: 1, max: 40 }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200, size: 'max' }),
        fc.integer({ min: 1, max: 5 }),
        (steps, failureThreshold) => {
          const { breaker, clock } = breakerOf({ failureThreshold, recoveryTimeoutMs: 25 });
          const model = new Model(failureThreshold, 25);
          for (const action of steps) {
            if (typeof action === 'number') clock.step(action);
            else if (action === 'reset') {
              breaker.reset();
              model.reset();
            } else {
              const found = [breaker.admits(), call(breaker, action)];
              const expected = [model.admits(clock.elapsed()), model.call(action, clock.elapsed())];
              // Asking jest at each step would take most of the time.
              if (String(found) !== String(expected)) expect(found).toEqual(expected);
            }
          }
        },
      ),
    );
  });

  it('goes on without a probe whose thread has died', async () => {
    const memory = SharedBreaker.allocate({ failureThreshold: 1, recoveryTimeoutMs: 1 });
    const breaker = new SharedBreaker(memory, systemClock);
    const untilHalfOpen = async (): Promise<void> => {
      while (breaker.state !== 'half_open') await new Promise((resume) => setTimeout(resume, 1));
    };
    open(breaker, 1);
    await untilHalfOpen();
    const url = new URL('./fixtures/dies-as-a-probe.js', import.meta.url);
    const worker = new Worker(url, { workerData: { memory }, execArgv: [] });
    expect(await new Promise((resolve) => worker.once('exit', resolve))).toBe(7);
    expect([breaker.state, breaker.enter()]).toEqual(['half_open', undefined]);
    // Whoever sees the thread's end says so. Another's doing: its place is free. Its own: the round has failed.
    breaker.releaseProbe();
    enter(breaker);
    breaker.failureOfLostThread();
    await untilHalfOpen();
    breaker.success(enter(breaker));
    expect(breaker.state).toBe('closed');
  });

  it('admits exactly the permitted probes under many threads at once', async () => {
    const rounds = 300;
    const threads = 5;
    const memory = SharedBreaker.allocate({ failureThreshold: 1, halfOpenProbes: 3 });
    const breaker = new SharedBreaker(memory, systemClock);
    const gate = new Int32Array(new SharedArrayBuffer(12));
    const url = new URL('./fixtures/enters-a-breaker.js', import.meta.url);
    const options = { workerData: { memory, gate, rounds }, execArgv: [] };
    const workers = Array.from({ length: threads }, () => new Worker(url, options));
    const ends = workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve)));
    for (let round = 1; round <= rounds; round++) {
      breaker.reset();
      breaker.failure(enter(breaker));
      // It opened long ago: probes are due now, and none of this round can be taken for lost.
      new Float64Array(memory)[2] = 0;
      Atomics.store(gate, 0, round);
      Atomics.notify(gate, 0);
      while (Atomics.load(gate, 2) < round * threads) await new Promise((resume) => setImmediate(resume));
      expect(Atomics.load(gate, 1)).toBe(round * 3);
    }
    expect(await Promise.all(ends)).toEqual(workers.map(() => 0));
  });
});

/** Consecutive failures, one probe, nothing at the same time. */
class Model {
  #failures = 0;
  #openedAt: number | undefined;
  readonly #threshold: number;
  readonly #recoveryMs: number;

  constructor(threshold: number, recoveryMs: number) {
    this.#threshold = threshold;
    this.#recoveryMs = recoveryMs;
  }

  admits(now: number): boolean {
    return this.#openedAt === undefined || now - this.#openedAt >= this.#recoveryMs;
  }

  /** Returns whether the call was made. */
  call(result: 'succeed' | 'fail', now: number): boolean {
    if (!this.admits(now)) return false;
    if (result === 'succeed') this.reset();
    else if (++this.#failures >= this.#threshold || this.#openedAt !== undefined) this.#openedAt = now;
    return true;
  }

  reset(): void {
    this.#failures = 0;
    this.#openedAt = undefined;
  }
}

/** Returns whether the call was made. */
function call(breaker: SharedBreaker, result: 'succeed' | 'fail'): boolean {
  const permit = breaker.enter();
  if (permit === undefined) return false;
  if (result === 'succeed') breaker.success(permit);
  else breaker.failure(permit);
  return true;
}

describe('a breaker on its own', () => {
  it('refuses with a coded error that says when to come back, and tells of its changes', async () => {
    const clock = new SteppedClock();
    const breaker = new CircuitBreaker({ name: 'db', failureThreshold: 2, recoveryTimeoutMs: 500, clock });
    const changes: string[] = [];
    breaker.on('stateChange', (state, previous) => changes.push(`${previous} > ${state}`));
    const fails = (): never => {
      throw new Error('down');
    };
    await expect(breaker.execute(fails)).rejects.toThrow('down');
    await expect(breaker.execute(fails)).rejects.toThrow('down');
    await expect(breaker.execute(() => 1)).rejects.toMatchObject({
      code: 'BUSBAR_BREAKER_OPEN',
      breaker: 'db',
      retryAfterMs: 500,
      message: 'circuit breaker "db" is open; retry in 500 ms',
    });
    clock.step(500);
    expect(await breaker.execute(() => 1)).toBe(1);
    expect(breaker.getState()).toBe('closed');
    expect(changes).toEqual(['closed > open', 'open > half_open', 'half_open > closed']);
    breaker.forceOpen();
    await expect(breaker.execute(() => 1)).rejects.toThrow('"db" is open until it is reset');
  });

  it('does not count errors that another attempt would repeat', async () => {
    const breaker = new CircuitBreaker({ failureThreshold: 1 });
    const denied = (): never => {
      throw Object.assign(new Error('no'), { status: 401 });
    };
    await expect(breaker.execute(denied)).rejects.toThrow('no');
    expect(breaker.state).toBe('closed');
  });

  it.each([{ failureThreshold: 0 }, { recoveryTimeoutMs: -1 }, { halfOpenProbes: 1.5 }, { failureThreshold: '5' }])(
    'refuses %j',
    (options) => {
      expect(() => new CircuitBreaker(options as object)).toThrow(
        expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }),
      );
    },
  );
});
