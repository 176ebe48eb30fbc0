// Requests that wait for the final verdict on their message.
import type { Clock, Timer } from './shared/clock.js';
import { decodeRange } from './shared/codec.js';
import { BusbarError } from './shared/errors.js';
import type { Reply } from './shared/reply.js';
import type { ErrorRecord } from './shared/report.js';

/**
 * Used again for the next request: a Map that entries come to and go from leaves its old tables behind, and what those
 * still hold would survive one young collection after the other (measured: a third of the time went to that).
 */
interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: BusbarError) => void;
  timeoutMs: number;
  /** `Clock.elapsed()`; infinite: as long as it takes. */
  deadline: number;
}

const MOST_UNUSED = 4096;
const nobody = (): void => undefined;

/** By message number. Runs on the main thread. */
export class Replies {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  readonly #unused: Waiting[] = [];
  /** Fires at the earliest deadline known when it was set: a timer for each request would cost as much as the request. */
  #timer: Timer | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  /** Told when the first request begins to wait. */
  onWaiting: () => void = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** @param timeoutMs default: as long as it takes */
  wait(number: number, timeoutMs = Number.POSITIVE_INFINITY): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const deadline = this.#clock.elapsed() + timeoutMs;
      const waiting = this.#unused.pop() ?? { resolve, reject, timeoutMs, deadline };
      waiting.resolve = resolve;
      waiting.reject = reject;
      waiting.timeoutMs = timeoutMs;
      waiting.deadline = deadline;
      this.#waiting.set(number, waiting);
      if (deadline < this.#timerAt) this.#setTimer(deadline, timeoutMs);
      if (this.#waiting.size === 1) this.onWaiting();
    });
  }

  resolve({ number, codec, memory, start, end }: Reply): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    const { resolve, reject } = waiting;
    this.#forget(number, waiting);
    try {
      resolve(decodeRange(codec, memory, start, end));
    } catch (cause) {
      reject(new BusbarError('BUSBAR_REQUEST_FAILED', 'the reply cannot be decoded', { cause }));
    }
  }

  /** The message was given up. */
  reject(number: number, reason: string, error: ErrorRecord | undefined): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    const { reject } = waiting;
    this.#forget(number, waiting);
    const code = reason === 'breaker_open' ? 'BUSBAR_BREAKER_OPEN' : 'BUSBAR_REQUEST_FAILED';
    const what = error === undefined ? reason : `${reason}: ${error.name}: ${error.message}`;
    reject(new BusbarError(code, `the request was given up: ${what}`, { cause: error }));
  }

  #forget(number: number, waiting: Waiting): void {
    this.#waiting.delete(number);
    waiting.resolve = nobody;
    waiting.reject = nobody;
    if (this.#unused.length < MOST_UNUSED) this.#unused.push(waiting);
  }

  #setTimer(deadline: number, delayMs: number): void {
    this.#timer?.cancel();
    this.#timerAt = deadline;
    this.#timer = this.#clock.after(delayMs, () => this.#expire());
  }

  /** Rejects those whose time is over, and waits for the next. O(requests), once for each earliest deadline. */
  #expire(): void {
    const now = this.#clock.elapsed();
    let next = Number.POSITIVE_INFINITY;
    for (const [number, waiting] of this.#waiting) {
      if (waiting.deadline > now) {
        next = Math.min(next, waiting.deadline);
        continue;
      }
      const { reject, timeoutMs } = waiting;
      this.#forget(number, waiting);
      reject(new BusbarError('BUSBAR_REQUEST_TIMEOUT', `no reply within ${timeoutMs} ms`));
    }
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (next < Number.POSITIVE_INFINITY) this.#setTimer(next, next - now);
  }
}
