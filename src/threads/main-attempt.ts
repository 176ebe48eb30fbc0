// One attempt on the main thread: its payload lies there already.
import { Attempt } from '../shared/attempt.js';
import { decodePayload } from '../shared/codec.js';
import { type Delivery, ownDelivery } from '../shared/delivery.js';

export class MainAttempt extends Attempt<Delivery> {
  /** Its delivery's bytes are a view on memory that holds others', too. */
  isBorrowed = false;

  /** Its delivery, in memory of its own: it goes on. */
  get ownDelivery(): Delivery {
    return this.isBorrowed ? ownDelivery(this.delivery) : this.delivery;
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
