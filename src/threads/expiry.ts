// When the time to live of what waits is over.
import type { Delivery } from '../shared/delivery.js';

/** @param now `Clock.now()` */
export function isExpired({ expiresAt }: Pick<Delivery, 'expiresAt'>, now: number): boolean {
  return expiresAt !== 0 && now > expiresAt;
}

/** Of some that wait: the earliest end of their times to live, so that most looks need not go through them. */
export class Expiry {
  #earliest = Number.POSITIVE_INFINITY;

  note({ expiresAt }: Pick<Delivery, 'expiresAt'>): void {
    if (expiresAt !== 0 && expiresAt < this.#earliest) this.#earliest = expiresAt;
  }

  /** True: one of those that were noted may have expired. */
  isOver(now: number): boolean {
    return now > this.#earliest;
  }

  reset(): void {
    this.#earliest = Number.POSITIVE_INFINITY;
  }
}
