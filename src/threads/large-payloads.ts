// Payloads that are too large for a ring: each lies in shared memory of its own, and its record says so.
import { type Delivery, inOwnMemory } from '../shared/delivery.js';
import type { LaneRing } from './lane-ring.js';

interface Held {
  readonly ring: LaneRing;
  /** Of the record. */
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/**
 * Those of one lane, by the number of their message. A drain is given them when it begins; at one that came later, it
 * gives its thread back and begins again. Runs on the main thread.
 */
export class LargePayloads {
  readonly #held = new Map<number, Held>();
  bytes = 0;

  /** Its record was written. */
  add({ number, bytes }: Delivery, ring: LaneRing): void {
    this.forget(number);
    this.#held.set(number, { ring, sequence: (ring.writer.written - 1) | 0, bytes: inOwnMemory(bytes) });
    this.bytes += bytes.length;
  }

  get memories(): (readonly [number: number, memory: ArrayBufferLike])[] {
    return [...this.#held].map(([number, { bytes }]) => [number, bytes.buffer]);
  }

  /** A delivery that came out of its ring, with its payload, which is no longer held here. */
  giveBack(delivery: Delivery): Delivery {
    const bytes = this.#held.get(delivery.number)?.bytes;
    if (bytes === undefined) return delivery;
    this.forget(delivery.number);
    return { ...delivery, bytes };
  }

  /**
   * Lets go of those whose records have left their rings, and will not come back.
   *
   * @param mayComeBack looked at afterwards: there is something in the outbox that was not read
   */
  letGo(mayComeBack: () => boolean): void {
    if (this.#held.size === 0) return;
    const passed = [...this.#held].filter(([, { ring, sequence }]) => ring.hasPassed(sequence));
    if (passed.length > 0 && !mayComeBack()) for (const [number] of passed) this.forget(number);
  }

  forget(number: number): void {
    const held = this.#held.get(number);
    if (held === undefined) return;
    this.#held.delete(number);
    this.bytes -= held.bytes.length;
  }
}
