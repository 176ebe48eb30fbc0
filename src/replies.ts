// Requests that wait for the final verdict on their message.
import type { Clock, Timer } from './shared/clock.js';
import { decodePayload } from './shared/codec.js';
import { BusbarError } from './shared/errors.js';
import type { CodecId } from './shared/message.js';
import type { ErrorRecord } from './shared/report.js';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: BusbarError) => void;
  readonly timer: Timer | undefined;
}

/** By message number. Runs on the main thread. */
export class Replies {
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param timeoutMs default: as long as it takes */
  wait(number: number, timeoutMs?: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer =
        timeoutMs === undefined
          ? undefined
          : this.#clock.after(timeoutMs, () => {
              this.#waiting.delete(number);
              reject(new BusbarError('BUSBAR_REQUEST_TIMEOUT', `no reply within ${timeoutMs} ms`));
            });
      this.#waiting.set(number, { resolve, reject, timer });
    });
  }

  resolve(number: number, codec: CodecId, bytes: Uint8Array): void {
    const waiting = this.#take(number);
    if (waiting === undefined) return;
    try {
      waiting.resolve(decodePayload(codec, bytes));
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
    if (waiting === undefined) return undefined;
    this.#waiting.delete(number);
    waiting.timer?.cancel();
    return waiting;
  }
}
