// What became of each delivery: kept apart from the bus's own counters, so that one can be held against the other.
import type { SettledDelivery } from '../shared/settled-delivery.js';

/** Belongs to one test bus. */
export class Ledger {
  readonly #entries: SettledDelivery[] = [];

  /** @internal */
  add(entry: SettledDelivery): void {
    this.#entries.push(entry);
  }

  /** In the order in which the main thread learned of them; those of one subscription only, if it is named. */
  entries(subscriberId?: string): readonly SettledDelivery[] {
    return this.#entries.filter((entry) => subscriberId === undefined || entry.subscriberId === subscriberId);
  }

  /** Ids of the messages whose handler succeeded. */
  succeeded(subscriberId?: string): string[] {
    return this.#ids('succeeded', subscriberId);
  }

  /** Ids of the messages that were given up. */
  deadLettered(subscriberId?: string): string[] {
    return this.#ids('deadLettered', subscriberId);
  }

  /** Ids of the messages that were dropped. */
  dropped(subscriberId?: string): string[] {
    return this.#ids('dropped', subscriberId);
  }

  #ids(outcome: SettledDelivery['outcome'], subscriberId: string | undefined): string[] {
    return this.entries(subscriberId).flatMap((entry) => (entry.outcome === outcome ? [entry.id] : []));
  }
}
