// All circuit breakers of a bus by name: those of its options, its subscriptions', and those that handlers ask for.
import type { BreakerOptions, CircuitState } from './shared/breaker.js';
import { SharedBreaker } from './shared/breaker.js';
import { BreakerDirectory, type BreakersMemory } from './shared/breaker-directory.js';
import { CircuitBreaker } from './shared/circuit-breaker.js';
import type { Clock } from './shared/clock.js';
import { invalidOption } from './shared/errors.js';

interface Held {
  readonly options: BreakerOptions;
  readonly memory: SharedArrayBuffer;
  readonly breaker: CircuitBreaker;
  /** Subscriptions that share it. */
  users: number;
}

/** Called at each change of state. */
export type BreakerListener = (name: string, state: CircuitState, previous: CircuitState) => void;

/** Belongs to one bus. Runs on the main thread. */
export class Breakers {
  readonly memory: BreakersMemory;
  readonly directory: BreakerDirectory;
  readonly #clock: Clock;
  readonly #configured = new Map<string, SharedArrayBuffer>();
  readonly #held = new Map<string, Held>();
  /** Those whose changes by this thread are heard at once. */
  readonly #heard = new WeakSet<CircuitBreaker>();
  readonly #lastStates = new Map<string, CircuitState>();
  readonly #onChange: BreakerListener;

  /** @throws BUSBAR_INVALID_OPTION */
  constructor(options: Readonly<Record<string, BreakerOptions>>, clock: Clock, onChange: BreakerListener) {
    for (const [name, each] of Object.entries(options)) this.#configured.set(name, SharedBreaker.allocate(each));
    const configured = [...this.#configured].map(([name, memory]) => ({ name, memory }));
    this.memory = { configured, directory: BreakerDirectory.allocate() };
    this.directory = new BreakerDirectory(this.memory, clock);
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /**
   * The breaker of a subscription: the configured one of this name, that of another subscription, or a new one.
   *
   * @throws BUSBAR_INVALID_OPTION when the name's breaker was given other options
   */
  hold(name: string, options: BreakerOptions): { memory: SharedArrayBuffer; local: SharedBreaker } {
    const memory = this.#configured.get(name);
    if (memory !== undefined) {
      if (Object.keys(options).length > 0) throw alreadyThere(name, options);
      return { memory, local: new SharedBreaker(memory, this.#clock) };
    }
    let held = this.#held.get(name);
    if (held === undefined) {
      const fresh = SharedBreaker.allocate(options);
      const breaker = CircuitBreaker.over(name, new SharedBreaker(fresh, this.#clock));
      held = { options, memory: fresh, breaker, users: 0 };
      this.#held.set(name, held);
    } else if (JSON.stringify(held.options) !== JSON.stringify(options)) {
      throw alreadyThere(name, options);
    }
    held.users++;
    return { memory: held.memory, local: new SharedBreaker(held.memory, this.#clock) };
  }

  /** Takes {@link hold} back. */
  letGo(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined || --held.users > 0) return;
    this.#held.delete(name);
    this.#lastStates.delete(name);
  }

  /** To be looked at and changed by hand. */
  of(name: string): CircuitBreaker {
    const breaker = this.#held.get(name)?.breaker ?? this.directory.of(name);
    if (!this.#heard.has(breaker)) {
      this.#heard.add(breaker);
      breaker.on('stateChange', () => this.lookAt(name));
    }
    return breaker;
  }

  /** The state of each, by name. */
  status(): Record<string, CircuitState> {
    const names = new Set([...this.#held.keys(), ...this.directory.names()]);
    return Object.fromEntries([...names].map((name) => [name, this.of(name).state]));
  }

  /** Tells of a change of state since the last look at it. */
  lookAt(name: string): void {
    const { state } = this.of(name);
    const previous = this.#lastStates.get(name) ?? 'closed';
    if (state === previous) return;
    this.#lastStates.set(name, state);
    this.#onChange(name, state, previous);
  }

  lookAtAll(): void {
    for (const name of this.#held.keys()) this.lookAt(name);
    for (const name of this.directory.names()) this.lookAt(name);
  }
}

function alreadyThere(name: string, options: BreakerOptions): Error {
  return invalidOption(`breaker ${JSON.stringify(name)}`, 'without other options than it was given before', options);
}
