// Calls a user's reconnect hook: one call at a time, not again and again while it fails, and never for long.

import { SharedBreaker } from './breaker.js';
import type { Clock } from './clock.js';
import { peekText } from './hostile.js';
import { within } from './within.js';

/**
 * Brings a connection back, and is given what failed. Returning false, throwing, or not settling within 10 s says that it is
 * still gone.
 */
export type ReconnectHook<T> = (failed: T) => unknown;

/** What a hook came to. */
export interface Reconnection {
  readonly isBack: boolean;
  /** What went wrong, as the hook said it: not redacted. */
  readonly trouble?: string;
}

/** A hook that has not settled by then is taken for failed, in milliseconds. */
const PATIENCE_MS = 10_000;
/** After so many failures in a row the hook is left alone for a while. */
const MOST_FAILURES = 3;
const REST_MS = 10_000;

/** Belongs to one hook on one thread. Never throws. */
export class Reconnector<T> {
  readonly #hook: ReconnectHook<T>;
  readonly #clock: Clock;
  readonly #breaker: SharedBreaker;
  #flight: Promise<Reconnection> | undefined;

  constructor(hook: ReconnectHook<T>, clock: Clock) {
    this.#hook = hook;
    this.#clock = clock;
    const memory = SharedBreaker.allocate({ failureThreshold: MOST_FAILURES, recoveryTimeoutMs: REST_MS });
    this.#breaker = new SharedBreaker(memory, clock);
  }

  /** Calls the hook, or joins the call that is under way. Never rejects. */
  run(failed: T): Promise<Reconnection> {
    this.#flight ??= this.#fly(failed).finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #fly(failed: T): Promise<Reconnection> {
    const permit = this.#breaker.enter();
    if (permit === undefined)
      return { isBack: false, trouble: 'the reconnect hook rests, for it failed again and again' };
    let reconnection: Reconnection;
    try {
      const isBack = (await within(this.#clock, PATIENCE_MS, () => this.#hook(failed), false)) !== false;
      reconnection = isBack ? { isBack } : { isBack, trouble: 'the reconnect hook said no, or took too long' };
    } catch (thrown) {
      reconnection = { isBack: false, trouble: peekText(thrown, 'message', 200) ?? `thrown ${typeof thrown}` };
    }
    if (reconnection.isBack) this.#breaker.success(permit);
    else this.#breaker.failure(permit);
    return reconnection;
  }
}
