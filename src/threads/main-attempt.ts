// One attempt on the main thread: its payload lies there already.
import { type Attempt, type CallOptions, callHandler } from '../shared/attempt.js';
import type { Permit } from '../shared/breaker.js';
import { decodePayload } from '../shared/codec.js';
import type { AttemptContext } from '../shared/context.js';
import { type Delivery, ownDelivery } from '../shared/delivery.js';
import type { Handler } from '../shared/handler.js';
import type { ErrorPhase } from '../shared/report.js';

export class MainAttempt implements Attempt {
  phase: ErrorPhase = 'decode';
  payload: unknown;
  /** True once its value or error was taken; what comes after is late. */
  hasEnded = false;
  readonly permit: Permit | null;
  readonly context: AttemptContext;
  readonly delivery: Delivery;
  /** `Clock.elapsed()`. */
  readonly startedAt: number;
  readonly #isBorrowed: boolean;

  /** @param isBorrowed its delivery's bytes are a view on memory that holds others', too */
  constructor(
    permit: Permit | null,
    context: AttemptContext,
    delivery: Delivery,
    startedAt: number,
    isBorrowed: boolean,
  ) {
    this.permit = permit;
    this.context = context;
    this.delivery = delivery;
    this.startedAt = startedAt;
    this.#isBorrowed = isBorrowed;
  }

  /** Its delivery, in memory of its own: it goes on. */
  get ownDelivery(): Delivery {
    return this.#isBorrowed ? ownDelivery(this.delivery) : this.delivery;
  }

  /**
   * As {@link callHandler}.
   *
   * @throws BUSBAR_DECODING
   */
  call(handle: Handler, options: CallOptions): unknown {
    return callHandler(this, handle, options, decodePayload(this.delivery.codec, this.delivery.bytes));
  }

  /** What comes of it is not waited for. Returns its delivery, with one attempt more. */
  abandon(): Delivery {
    this.hasEnded = true;
    this.delivery.started++;
    return this.ownDelivery;
  }
}
