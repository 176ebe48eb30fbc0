// A message that came and is not settled: what the feed knows of it until its ticket comes back.
import type { Settlement, Ticket } from './transport.js';

/** Where tickets go back to. */
export interface TakesBack {
  settle(entry: Unsettled, settlement: Settlement): void;
}

/** Runs on the main thread. */
export class Unsettled implements Ticket {
  readonly #feed: TakesBack;
  readonly sequence: number;
  /** Where its acknowledgement goes: the last one that the server gave. */
  reply: string;
  /** `Clock.elapsed()` when the server last heard of it. */
  heardAt: number;

  constructor(feed: TakesBack, sequence: number, reply: string, heardAt: number) {
    this.#feed = feed;
    this.sequence = sequence;
    this.reply = reply;
    this.heardAt = heardAt;
  }

  settle(settlement: Settlement): void {
    this.#feed.settle(this, settlement);
  }
}
