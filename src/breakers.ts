// All circuit breakers of a bus by name: those of its options, its subscriptions', and those that handlers ask for.
import type { BreakerOptions, CircuitState } from './shared/breaker.js';
import { SharedBreaker } from './shared/breaker.js';
import { BreakerDirectory, type BreakersMemory, type LaidBreaker } from './shared/breaker-directory.js';
import { layBreaker } from './shared/breaker-words.js';
import type { CircuitBreaker } from './shared/circuit-breaker.js';
import type { Clock } from './shared/clock.js';
import { invalidOption } from './shared/errors.js';

interface Held extends LaidBreaker {
  options: BreakerOptions;
  /** Subscriptions that share it. */
  users: number;
}

/** What a subscription needs of its breaker. */
interface Hold extends LaidBreaker {
  readonly local: SharedBreaker;
}

/** Called at each change of state. */
export type BreakerListener = (name: string, state: CircuitState, previous: CircuitState) => void;

/** Belongs to one bus. Runs on the main thread. */
export class Breakers {
  readonly memory: BreakersMemory;
  readonly directory: BreakerDirectory;
  /** Changes with those that handlers can name and that do not lie in the directory. */
  generation = 0;
  readonly #clock: Clock;
  readonly #configured = new Map<string, SharedArrayBuffer>();
  readonly #configuredForHandlers: { readonly name: string; readonly memory: SharedArrayBuffer }[] = [];
  readonly #held = new Map<string, Held>();
  /** Those whose changes by this thread are heard at once. */
  readonly #heard = new WeakSet<CircuitBreaker>();
  readonly #lastStates = new Map<string, CircuitState>();
  readonly #onChange: BreakerListener;

  /** @throws BUSBAR_INVALID_OPTION */
  constructor(options: Readonly<Record<string, BreakerOptions>>, clock: Clock, onChange: BreakerListener) {
    for (const [name, each] of Object.entries(options)) this.#configured.set(name, SharedBreaker.allocate(each));
    for (const [name, memory] of this.#configured) this.#configuredForHandlers.push({ name, memory });
    this.memory = { configured: this.#configuredForHandlers, directory: BreakerDirectory.allocate() };
    this.directory = new BreakerDirectory(this.memory, clock);
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /**
   * The breaker of a subscription: the configured one of this name, that of another subscription, or a new one.
   *
   * @param isNamed the user has named it: handlers may ask for it by name, also those that run already
   * @throws BUSBAR_INVALID_OPTION when the name's breaker was given other options
   */
  hold(name: string, options: BreakerOptions, isNamed: boolean): Hold {
    const memory = this.#configured.get(name);
    if (memory !== undefined) {
      if (Object.keys(options).length > 0) throw alreadyThere(name, options);
      return { memory, offset: undefined, local: new SharedBreaker(memory, this.#clock) };
    }
    const held = this.#held.get(name) ?? this.#lay(name, options, isNamed);
    if (JSON.stringify(held.options) !== JSON.stringify(options)) {
      if (held.users > 0 || held.offset === undefined) throw alreadyThere(name, options);
      layBreaker(held.memory, held.offset, options);
      held.options = options;
    }
    held.users++;
    const { offset } = held;
    return { memory: held.memory, offset, local: new SharedBreaker(held.memory, this.#clock, offset) };
  }

  /** Takes {@link hold} back. */
  letGo(name: string): void {
    const held = this.#held.get(name);
    // What lies in the directory stays there: handlers may use it.
    if (held === undefined || --held.users > 0 || held.offset !== undefined) return;
    this.#held.delete(name);
    this.#lastStates.delete(name);
    this.directory.know(name, null);
    const place = this.#configuredForHandlers.findIndex((each) => each.name === name);
    if (place < 0) return;
    this.#configuredForHandlers.splice(place, 1);
    this.generation++;
  }

  /** To be looked at and changed by hand. */
  of(name: string): CircuitBreaker {
    const breaker = this.directory.of(name);
    if (!this.#heard.has(breaker)) {
      this.#heard.add(breaker);
      breaker.on('stateChange', () => this.lookAt(name));
    }
    return breaker;
  }

  /** The state of each, by name. */
  status(): Record<string, CircuitState> {
    return Object.fromEntries(this.directory.names().map((name) => [name, this.of(name).state]));
  }

  /** Tells of a change of state since the last look at it. */
  lookAt(name: string): void {
    const { state } = this.of(name);
    const previous = this.#lastStates.get(name) ?? 'closed';
    if (state === previous) return;
    this.#lastStates.set(name, state);
    this.#onChange(name, state, previous);
  }

  /** Handlers that run find a named one in the directory, which has no room for windows; of others each drain is given a list. */
  #lay(name: string, options: BreakerOptions, isNamed: boolean): Held {
    if (isNamed && options.window === undefined) {
      const { memory, offset, isNew } = this.directory.lay(name, options);
      if (!isNew && Object.keys(options).length > 0) throw alreadyThere(name, options);
      const held = { memory, offset, options, users: 0 };
      this.#held.set(name, held);
      return held;
    }
    if (isNamed && this.directory.names().includes(name)) throw alreadyThere(name, options);
    const memory = SharedBreaker.allocate(options);
    this.directory.know(name, new SharedBreaker(memory, this.#clock));
    if (isNamed) {
      this.#configuredForHandlers.push({ name, memory });
      this.generation++;
    }
    const held = { memory, offset: undefined, options, users: 0 };
    this.#held.set(name, held);
    return held;
  }

  lookAtAll(): void {
    for (const name of this.directory.names()) this.lookAt(name);
  }
}

function alreadyThere(name: string, options: BreakerOptions): Error {
  return invalidOption(`breaker ${JSON.stringify(name)}`, 'without other options than it was given before', options);
}
