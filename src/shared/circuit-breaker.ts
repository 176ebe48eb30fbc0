// The circuit breaker for calls of any kind, usable without a bus.
import { type BreakerOptions, type CircuitState, SharedBreaker } from './breaker.js';
import { classifyError, countsForBreaker } from './classify.js';
import { type Clock, systemClock } from './clock.js';
import { BusbarError, hasRaised, invalidOption } from './errors.js';
import type { Breaker } from './handler.js';
import { peekText } from './hostile.js';
import { fields } from './option-checks.js';

/** Options of a {@link CircuitBreaker} of its own. */
export interface CircuitBreakerOptions extends BreakerOptions {
  /** Shown in errors. Default `breaker`. */
  readonly name?: string;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** The code of this error is BUSBAR_BREAKER_OPEN. */
export class BreakerOpenError extends BusbarError {
  /** Whatever copy of busbar raised it. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasRaised(value, 'BUSBAR_BREAKER_OPEN');
  }

  /** Milliseconds until a probe is let through; 0 when that is not known. */
  readonly retryAfterMs: number;
  /** The breaker's name. */
  readonly breaker: string;

  constructor(breaker: string, retryAfterMs: number) {
    const until =
      retryAfterMs > 0 ? `; retry in ${Math.ceil(retryAfterMs)} ms` : ' until it is reset or its probes succeed';
    super('BUSBAR_BREAKER_OPEN', `circuit breaker "${breaker}" is open${until}`);
    this.breaker = breaker;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Refuses calls for a while after failures in a row, or while too many fail or are slow. Errors that are classified as serialization, authentication or
 * configuration errors do not count. Runs on any thread.
 */
export class CircuitBreaker implements Breaker {
  readonly name: string;
  #breaker: SharedBreaker;
  readonly #listeners = new Set<(state: CircuitState, previous: CircuitState) => void>();
  #lastState: CircuitState = 'closed';

  /**
   * A breaker that other threads have in common.
   *
   * @internal
   */
  static over(name: string, shared: SharedBreaker): CircuitBreaker {
    // Not by its name: a class that names itself is given another one by the bundler.
    const breaker = new this({ name });
    breaker.#breaker = shared;
    breaker.#lastState = shared.state;
    return breaker;
  }

  /** @throws BUSBAR_INVALID_OPTION */
  constructor(given: CircuitBreakerOptions = {}) {
    const { name = 'breaker', clock = systemClock, ...options } = fields('options', given) as CircuitBreakerOptions;
    if (typeof name !== 'string') throw invalidOption('name', 'a text', name);
    if (typeof clock?.elapsed !== 'function') throw invalidOption('clock', 'a clock', clock);
    this.name = name;
    this.#breaker = new SharedBreaker(
      SharedBreaker.allocate(options, given.name === undefined ? '' : `breaker ${JSON.stringify(name)}: `),
      clock,
    );
  }

  /** `half_open` from when the recovery time is over. */
  get state(): CircuitState {
    return this.#breaker.state;
  }

  /** Milliseconds until an open breaker lets a probe through; 0 when it is not open, or was opened by hand. */
  get retryAfterMs(): number {
    return this.#breaker.retryAfterMs;
  }

  /** The same as `state`. */
  getState(): CircuitState {
    return this.state;
  }

  /**
   * Calls `run`, unless the breaker is open.
   *
   * @throws BUSBAR_BREAKER_OPEN with `retryAfterMs`, or what `run` throws
   */
  async execute<T>(run: () => T | Promise<T>): Promise<T> {
    const permit = this.#breaker.enter();
    this.#announce();
    if (permit === undefined) throw new BreakerOpenError(this.name, this.#breaker.retryAfterMs);
    try {
      const value = await run();
      this.#breaker.success(permit);
      return value;
    } catch (thrown) {
      if (countsForBreaker(classifyError(thrown).category)) this.#breaker.failure(permit);
      else this.#breaker.release(permit);
      throw thrown;
    } finally {
      this.#announce();
    }
  }

  /** Refuses every call until `reset()`. */
  forceOpen(): void {
    this.#change(() => this.#breaker.forceOpen());
  }

  /** Lets every call through and counts nothing until `reset()`. */
  disable(): void {
    this.#change(() => this.#breaker.disable());
  }

  /** Closes it and forgets what was counted. */
  reset(): void {
    this.#change(() => this.#breaker.reset());
  }

  /**
   * Calls `listener` after each change of state that a call or a method of this object brought about or found. What it
   * throws becomes a warning of the process; calls and other listeners are not affected.
   */
  on(event: 'stateChange', listener: (state: CircuitState, previous: CircuitState) => void): this {
    if (event === 'stateChange') this.#listeners.add(listener);
    return this;
  }

  /** Takes `on` back. */
  off(_event: 'stateChange', listener: (state: CircuitState, previous: CircuitState) => void): this {
    this.#listeners.delete(listener);
    return this;
  }

  /** Other threads may have changed it since the last look: that is told first. */
  #change(change: () => void): void {
    this.#announce();
    change();
    this.#announce();
  }

  #announce(): void {
    const { state } = this.#breaker;
    const previous = this.#lastState;
    if (state === previous) return;
    this.#lastState = state;
    for (const listener of this.#listeners) {
      try {
        listener(state, previous);
      } catch (thrown) {
        const reason = peekText(thrown, 'message', 200) ?? `thrown ${typeof thrown}`;
        process.emitWarning(`a stateChange listener of circuit breaker ${this.name} threw: ${reason}`, 'BusbarWarning');
      }
    }
  }
}
