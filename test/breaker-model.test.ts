// The breaker against a plain model, with calls that overlap: any way of counting, any result, any order, any hand on it.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BreakerOptions, type CircuitState, type Permit, SharedBreaker } from '../src/shared/breaker.js';
import type { BreakerWindowOptions } from '../src/shared/breaker-window.js';
import { SteppedClock } from '../src/testing/stepped-clock.js';

interface Ticket {
  readonly round: number;
  readonly isProbe: boolean;
  readonly startedAt: number;
}

interface Result {
  readonly at: number;
  readonly hasFailed: boolean;
  readonly wasSlow: boolean;
}

const SLICES = 10;

type ModelOptions = BreakerOptions &
  Required<Pick<BreakerOptions, 'recoveryTimeoutMs' | 'halfOpenProbes' | 'halfOpenMaxWaitMs'>>;

/** Keeps every result in a list; each change of state begins a new round, and only calls of this round count. */
class Model {
  #state: CircuitState = 'closed';
  #round = 0;
  #failures = 0;
  #results: Result[] = [];
  #openedAt = 0;
  #probedAt = 0;
  #probes = 0;
  #successes = 0;
  readonly #options: ModelOptions;

  constructor(options: ModelOptions) {
    this.#options = options;
  }

  state(now: number): CircuitState {
    return this.#state === 'open' && this.#isDue(now) ? 'half_open' : this.#state;
  }

  retryAfterMs(now: number): number {
    return this.#state === 'open' ? Math.max(0, this.#openedAt + this.#options.recoveryTimeoutMs - now) : 0;
  }

  admits(now: number): boolean {
    if (this.#state === 'open') return this.#isDue(now);
    if (this.#state === 'half_open') return this.#probes < this.#options.halfOpenProbes || this.#areLost(now);
    return this.#state !== 'forced_open';
  }

  enter(now: number): Ticket | undefined {
    if (!this.admits(now)) return undefined;
    const isProbe = this.#state === 'open' || this.#state === 'half_open';
    if (this.#state === 'open' || (isProbe && this.#probes === this.#options.halfOpenProbes)) this.#move('half_open');
    if (isProbe) {
      this.#probes++;
      this.#probedAt = now;
    }
    return { round: this.#round, isProbe, startedAt: now };
  }

  end({ round, isProbe, startedAt }: Ticket, result: 'success' | 'failure' | 'release', now: number): void {
    if (round !== this.#round || this.#state === 'disabled') return;
    const wasSlow = now - startedAt > (this.#options.window?.slowCallMs ?? Number.POSITIVE_INFINITY);
    if (!isProbe) {
      if (result !== 'release') this.#count({ at: now, hasFailed: result === 'failure', wasSlow });
    } else if (result === 'release') this.#probes = Math.max(0, this.#probes - 1);
    else if (result === 'failure' || wasSlow) this.#open(now);
    else if (++this.#successes === this.#options.halfOpenProbes) this.reset();
  }

  loseThread(now: number): void {
    if (this.#state === 'half_open') this.#open(now);
    else if (this.#state === 'closed') this.#count({ at: now, hasFailed: true, wasSlow: false });
  }

  releaseProbe(): void {
    if (this.#state === 'half_open') this.#probes = Math.max(0, this.#probes - 1);
  }

  set(state: 'forced_open' | 'disabled'): void {
    this.#move(state);
  }

  reset(): void {
    this.#failures = 0;
    this.#results = [];
    this.#move('closed');
  }

  #count(result: Result): void {
    const { window, failureThreshold = 5 } = this.#options;
    if (window === undefined) {
      this.#failures = result.hasFailed ? this.#failures + 1 : 0;
      if (this.#failures >= failureThreshold) this.#open(result.at);
      return;
    }
    this.#results.push(result);
    const judged = judgedOf(this.#results, window, result.at);
    const share = (of: readonly Result[]): number => of.length / judged.length;
    if (judged.length < (window.minimumCalls ?? 0)) return;
    const isTooMany = share(judged.filter(({ hasFailed }) => hasFailed)) >= (window.failureRate ?? 0.5);
    const areTooSlow = share(judged.filter(({ wasSlow }) => wasSlow)) >= (window.slowCallRate ?? 1);
    if (isTooMany || areTooSlow) this.#open(result.at);
  }

  #open(now: number): void {
    this.#openedAt = now;
    this.#move('open');
  }

  #move(state: CircuitState): void {
    this.#state = state;
    this.#round++;
    this.#probes = 0;
    this.#successes = 0;
  }

  #isDue(now: number): boolean {
    return now - this.#openedAt >= this.#options.recoveryTimeoutMs;
  }

  #areLost(now: number): boolean {
    return now - this.#probedAt >= this.#options.halfOpenMaxWaitMs;
  }
}

function judgedOf(results: readonly Result[], { calls, ms = 1 }: BreakerWindowOptions, now: number): readonly Result[] {
  if (calls !== undefined) return results.slice(-calls);
  const sliceOf = (at: number): number => Math.floor(at / (ms / SLICES));
  return results.filter(({ at }) => sliceOf(at) > sliceOf(now) - SLICES);
}

const rates = {
  minimumCalls: fc.integer({ min: 1, max: 4 }),
  failureRate: fc.constantFrom(0.3, 0.5, 1),
  slowCallMs: fc.constantFrom(20, 1e9),
  slowCallRate: fc.constantFrom(0.5, 1),
};
const counting = fc.oneof(
  fc.record({ failureThreshold: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ window: fc.record({ calls: fc.integer({ min: 4, max: 8 }), ...rates }) }),
  fc.record({ window: fc.record({ ms: fc.constant(100), ...rates }) }),
);
const recovery = fc.record({
  recoveryTimeoutMs: fc.constantFrom(25, 60),
  halfOpenProbes: fc.integer({ min: 1, max: 3 }),
  halfOpenMaxWaitMs: fc.constantFrom(30, 200),
});

/** Calls begin and end in any order; the number names the one that ends. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant('enter' as const) },
  {
    weight: 8,
    arbitrary: fc.record({
      ends: fc.nat(20),
      result: fc.constantFrom('success' as const, 'failure' as const, 'failure' as const, 'release' as const),
    }),
  },
  { weight: 3, arbitrary: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(3_600_000)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...(['reset', 'reset', 'reset', 'reset'] as const),
      'force open' as const,
      'disable' as const,
      'release a probe' as const,
      'lose thread' as const,
    ),
  },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Does one step with both. */
function take(
  action: Step,
  breaker: SharedBreaker,
  model: Model,
  calls: [Permit, Ticket][],
  clock: SteppedClock,
): void {
  const now = clock.elapsed();
  if (typeof action === 'number') clock.step(action);
  else if (typeof action === 'object') {
    const [call] = calls.splice(action.ends % Math.max(1, calls.length), 1);
    if (call === undefined) return;
    breaker[action.result](call[0]);
    model.end(call[1], action.result, now);
  } else if (action === 'enter') {
    const permit = breaker.enter();
    const ticket = model.enter(now);
    if (permit?.isProbe !== ticket?.isProbe) expect(permit?.isProbe).toBe(ticket?.isProbe);
    if (permit !== undefined && ticket !== undefined) calls.push([permit, ticket]);
  } else if (action === 'reset') {
    breaker.reset();
    model.reset();
  } else if (action === 'force open') {
    breaker.forceOpen();
    model.set('forced_open');
  } else if (action === 'disable') {
    breaker.disable();
    model.set('disabled');
  } else if (action === 'release a probe') {
    breaker.releaseProbe();
    model.releaseProbe();
  } else {
    breaker.failureOfLostThread();
    model.loseThread(now);
  }
}

describe('a breaker whose calls overlap', () => {
  it('does what a plain model does, in a row, by calls or by time, probes and hands included', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(counting, recovery, fc.array(step, { maxLength: 80, size: 'max' }), (how, back, steps) => {
        const options = { ...how, ...back };
        const clock = new SteppedClock();
        const breaker = new SharedBreaker(SharedBreaker.allocate(options), clock);
        const model = new Model(options);
        const calls: [Permit, Ticket][] = [];
        for (const action of steps) {
          take(action, breaker, model, calls, clock);
          const now = clock.elapsed();
          seen.add(breaker.state);
          const found = `${breaker.state} ${breaker.admits()} ${breaker.retryAfterMs}`;
          const expected = `${model.state(now)} ${model.admits(now)} ${model.retryAfterMs(now)}`;
          // Asking jest at each step would take most of the time.
          if (found !== expected) expect(found).toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
    expect([...seen].sort()).toEqual(['closed', 'disabled', 'forced_open', 'half_open', 'open']);
  });
});
