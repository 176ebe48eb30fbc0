// One attempt on the main thread: its payload lies there already.
import { Attempt } from '../shared/attempt.js';
import { decodePayload } from '../shared/codec.js';
import type { Delivery } from '../shared/delivery.js';

export class MainAttempt extends Attempt<Delivery> {
  /** What comes of it is not waited for. Returns its delivery, with one attempt more. */
  abandon(): Delivery {
    this.hasEnded = true;
    this.delivery.started++;
    return this.delivery;
  }

  protected override decode(mode: 'copy' | 'view'): unknown {
    return decodePayload(this.delivery.codec, this.delivery.bytes, mode);
  }
}
