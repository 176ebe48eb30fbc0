// A message that came and is not settled: what the feed knows of it until its ticket comes back.
import type { Delivered } from './delivered.js';
import type { Settlement, Ticket } from './transport.js';

/** Where tickets go back to. */
export interface TakesBack {
  settle(entry: Unsettled, settlement: Settlement): void;
  release(entry: Unsettled, started: number): void;
}

/**
 * What its acknowledgement means to the servers: this message; it, or another one that has its sequence by now; nothing good, for they
 * have forgotten its delivery. See {@link Withheld}.
 */
export type Trust = 'sure' | 'doubted' | 'forgotten';

/** Runs on the main thread. */
export class Unsettled implements Ticket {
  readonly #feed: TakesBack;
  readonly sequence: number;
  readonly stamp: number;
  readonly bytes: number;
  /** Where its acknowledgement goes: the last one that the server gave. */
  reply: string;
  /** `Clock.elapsed()` when the server last heard of it. */
  heardAt: number;
  /** Times that the server delivered it. */
  count: number;
  /** Those among them that ended with their process. */
  readonly vanished: number;
  /** Set once it was asked back: if it is still here, it has started, and may have been put off since. */
  isAskedBack = false;
  trust: Trust = 'sure';

  constructor(
    feed: TakesBack,
    { sequence, count, stamp }: Delivered,
    bytes: number,
    vanished: number,
    reply: string,
    heardAt: number,
  ) {
    this.#feed = feed;
    this.bytes = bytes;
    this.sequence = sequence;
    this.stamp = stamp;
    this.count = count;
    this.vanished = vanished;
    this.reply = reply;
    this.heardAt = heardAt;
  }

  comesAgain(reply: string, { count }: Delivered): void {
    this.reply = reply;
    this.trust = 'sure';
    this.count = Math.max(this.count, count);
  }

  /** True: the server has to hear of it now, once it has not for so long, in milliseconds. @param now `Clock.elapsed()` */
  isDue(now: number, afterMs: number): boolean {
    if (now - this.heardAt < afterMs) return false;
    this.heardAt = now;
    return true;
  }

  settle(settlement: Settlement): void {
    this.#feed.settle(this, settlement);
  }

  release(started: number): void {
    this.#feed.release(this, started);
  }
}
