// Requests that wait for the final verdict on their message.
import type { Clock, Timer } from './shared/clock.js';
import { decodeRange } from './shared/codec.js';
import { BusbarError } from './shared/errors.js';
import type { Reply } from './shared/reply.js';
import type { ErrorRecord } from './shared/report.js';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: BusbarError) => void;
  readonly timeoutMs: number;
  /** `Clock.elapsed()`; infinite: as long as it takes. */
  readonly deadline: number;
}

/** By message number. Runs on the main thread. */
export class Replies {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
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
      this.#waiting.set(number, { resolve, reject, timeoutMs, deadline });
      if (deadline < this.#timerAt) this.#setTimer(deadline, timeoutMs);
      if (this.#waiting.size === 1) this.onWaiting();
    });
  }

  resolve({ number, codec, memory, start, end }: Reply): void {
    const waiting = this.#take(number);
    if (waiting === undefined) return;
    try {
      waiting.resolve(decodeRange(codec, memory, start, end));
    } catch (cause) {
      waiting.reject(new BusbarError('BUSBAR_REQUEST_FAILED', 'the reply cannot be decoded', { cause }));
    }
  }

  /** The message was given up. */
  reject(number: number, reason: string, error: ErrorRecord | undefined): void {
    const waiting = this.#take(number);
    if (waiting === undefined) return;
    const code = reason === 'breaker_open' ? 'BUSBAR_BREAKER_OPEN' : 'BUSBAR_REQUEST_FAILED';
    const what = error === undefined ? reason : `${reason}: ${error.name}: ${error.message}`;
    waiting.reject(new BusbarError(code, `the request was given up: ${what}`, { cause: error }));
  }

  #take(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    if (waiting !== undefined) this.#waiting.delete(number);
    return waiting;
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
      this.#waiting.delete(number);
      waiting.reject(new BusbarError('BUSBAR_REQUEST_TIMEOUT', `no reply within ${waiting.timeoutMs} ms`));
    }
    this.#timerAt = Number.POSITIVE_INFINITY;
    if (next < Number.POSITIVE_INFINITY) this.#setTimer(next, next - now);
  }
}
