// One attempt on the main thread: its payload lies there already.
import { Attempt } from '../shared/attempt.js';
import type { Permit } from '../shared/breaker.js';
import { decodePayload } from '../shared/codec.js';
import type { AttemptContext } from '../shared/context.js';
import { type Delivery, ownDelivery } from '../shared/delivery.js';

export class MainAttempt extends Attempt<Delivery> {
  readonly #isBorrowed: boolean;

  /** @param isBorrowed its delivery's bytes are a view on memory that holds others', too */
  constructor(
    permit: Permit | null,
    context: AttemptContext,
    delivery: Delivery,
    startedAt: number,
    isBorrowed: boolean,
  ) {
    super(permit, context, delivery, startedAt);
    this.#isBorrowed = isBorrowed;
  }

  /** Its delivery, in memory of its own: it goes on. */
  get ownDelivery(): Delivery {
    return this.#isBorrowed ? ownDelivery(this.delivery) : this.delivery;
  }

  /** What comes of it is not waited for. Returns its delivery, with one attempt more. */
  abandon(): Delivery {
    this.hasEnded = true;
    this.delivery.started++;
    return this.ownDelivery;
  }

  protected override decode(mode: 'copy' | 'view'): unknown {
    return decodePayload(this.delivery.codec, this.delivery.bytes, mode);
  }
}
