// Requests that wait for the final verdict on their message.
import { BreakerOpenError } from './shared/circuit-breaker.js';
import type { Clock, Timer } from './shared/clock.js';
import { decodeRange } from './shared/codec.js';
import { BusbarError } from './shared/errors.js';
import type { Reply } from './shared/reply.js';
import type { ErrorRecord } from './shared/report.js';

/** One place in which a request can wait; used again and again. */
interface Waiting {
  /** Of the message; FREE: nobody waits here. */
  number: number;
  /**
   * Rejects, too, given a promise that is rejected. To keep both functions would cost another 20 ns: what is old refers to
   * what is new, of which the garbage collector has to be told.
   */
  resolve: (value: unknown) => void;
  timeoutMs: number;
  /** `Clock.elapsed()`; infinite: as long as it takes. */
  deadline: number;
}

/** What may have refused a request. */
interface NamedBreaker {
  readonly breakerName: string;
  readonly retryAfterMs: number;
}

/** Places, a power of two. A request whose place is taken waits in a Map. */
const PLACES = 4096;
const FREE = -1;
const nobody = (): void => undefined;

/** What the last promise made was given: one executor for all of them, for a closure each would cost as much as the rest. */
let waits: Pick<Waiting, 'resolve'> = { resolve: nobody };
const capture = (resolve: Waiting['resolve']): void => {
  waits.resolve = resolve;
};

/** The handler succeeded, and its reply cannot be decoded. */
export class UnreadableReply extends BusbarError {
  /** Never of another thread; what it is made of would take every error of busbar for one of these. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && #isUnreadable in value;
  }

  readonly #isUnreadable = true;

  constructor(cause: unknown) {
    super('BUSBAR_REQUEST_FAILED', 'the reply cannot be decoded', { cause });
  }
}

/**
 * By message number. Runs on the main thread.
 *
 * Not in a Map alone: one that entries come to and go from makes itself a new table each time it has seen as many as it
 * holds, and what the old ones still hold survives one young collection after the other (measured at 512 under way: half of
 * the main thread's time).
 */
export class Replies {
  readonly #clock: Clock;
  readonly #places: (Waiting | undefined)[] = new Array(PLACES).fill(undefined);
  readonly #crowded = new Map<number, Waiting>();
  /** Requests that wait. */
  size = 0;
  /** Fires at the earliest deadline known when it was set: a timer for each request would cost as much as the request. */
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Told when the first request begins to wait. */
  onWaiting: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param elapsed `Clock.elapsed()` of now
   * @param timeoutMs infinite: as long as it takes
   */
  wait(number: number, elapsed: number, timeoutMs: number): Promise<unknown> {
    const waiting = this.#placeFor(number);
    const deadline = elapsed + timeoutMs;
    waiting.timeoutMs = timeoutMs;
    waiting.deadline = deadline;
    waits = waiting;
    const promise = new Promise(capture);
    if (deadline < this.#timerAt) this.#setTimer(deadline, timeoutMs);
    if (++this.size === 1) this.onWaiting();
    return promise;
  }

  resolve({ number, codec, value, memory, words, start, end }: Reply): void {
    const waiting = this.#find(number);
    if (waiting === undefined) return;
    const { resolve } = waiting;
    this.#forget(waiting);
    if (codec === null) {
      resolve(value);
      return;
    }
    try {
      resolve(decodeRange(codec, memory, words, start, end));
    } catch (cause) {
      resolve(Promise.reject(new UnreadableReply(cause)));
    }
  }

  /**
   * The message was given up.
   *
   * @param breaker that of its subscription
   */
  reject(number: number, reason: string, error: ErrorRecord | undefined, breaker: NamedBreaker): void {
    const waiting = this.#find(number);
    if (waiting === undefined) return;
    if (reason === 'breaker_open') {
      this.#fail(waiting, new BreakerOpenError(breaker.breakerName, breaker.retryAfterMs));
      return;
    }
    const what = error === undefined ? reason : `${reason}: ${error.name}: ${error.message}`;
    this.#fail(
      waiting,
      new BusbarError('BUSBAR_REQUEST_FAILED', `the request was given up: ${what}`, { cause: error }),
    );
  }

  /** The message never went on its way: nobody was given the promise. */
  forget(number: number): void {
    const waiting = this.#find(number);
    if (waiting !== undefined) this.#forget(waiting);
  }

  #placeFor(number: number): Waiting {
    const index = number & (PLACES - 1);
    const waiting = this.#places[index];
    if (waiting?.number === FREE) {
      waiting.number = number;
      return waiting;
    }
    const another = { number, resolve: nobody, timeoutMs: 0, deadline: 0 };
    if (waiting === undefined) this.#places[index] = another;
    else this.#crowded.set(number, another);
    return another;
  }

  #find(number: number): Waiting | undefined {
    const waiting = this.#places[number & (PLACES - 1)];
    return waiting?.number === number ? waiting : this.#crowded.get(number);
  }

  #forget(waiting: Waiting): void {
    this.size--;
    if (this.#crowded.size > 0) this.#crowded.delete(waiting.number);
    waiting.number = FREE;
    waiting.resolve = nobody;
  }

  #fail(waiting: Waiting, error: BusbarError): void {
    const { resolve } = waiting;
    this.#forget(waiting);
    resolve(Promise.reject(error));
  }

  *#all(): Generator<Waiting> {
    for (const waiting of this.#places) if (waiting !== undefined && waiting.number !== FREE) yield waiting;
    yield* this.#crowded.values();
  }

  #setTimer(deadline: number, delayMs: number): void {
    this.#timer?.cancel();
    this.#timerAt = deadline;
    this.#timer = this.#clock.after(delayMs, () => this.#expire());
  }

  /** Rejects those whose time is over, and waits for the next. O(places), once for each earliest deadline. */
  #expire(): void {
    const now = this.#clock.elapsed();
    let next = Number.POSITIVE_INFINITY;
    for (const waiting of this.#all()) {
      if (waiting.deadline > now) {
        next = Math.min(next, waiting.deadline);
        continue;
      }
      this.#fail(waiting, new BusbarError('BUSBAR_REQUEST_TIMEOUT', `no reply within ${waiting.timeoutMs} ms`));
    }
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (next < Number.POSITIVE_INFINITY) this.#setTimer(next, next - now);
  }
}
