// One attempt on the main thread: its payload lies there already.
import { Attempt } from '../shared/attempt.js';
import { decodePayload } from '../shared/codec.js';
import type { Delivery } from '../shared/delivery.js';

export class MainAttempt extends Attempt<Delivery> {
  protected override decode(mode: 'copy' | 'view'): unknown {
    return decodePayload(this.delivery.codec, this.delivery.bytes, mode);
  }
}
