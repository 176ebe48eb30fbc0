// A feed's requests for messages: one at a time, by an inbox of its own.
import type { Clock } from '../shared/clock.js';
import type { Connection } from './connection.js';
import type { Incoming, Listening } from './connection-words.js';
import { NANOSECONDS } from './nanoseconds.js';
import type { Batch } from './window.js';

export interface PullParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly stream: string;
  readonly consumer: string;
  /** How long a request lasts, in milliseconds. */
  readonly pullMs: number;
  /** Something was delivered, by the running request or an earlier one; `isLast`: all that the running one asked for has come. */
  readonly onDelivery: (message: Incoming, isLast: boolean) => void;
  /** The server has ended the running request, before all that was asked for has come. */
  readonly onEnd: (end: PullEnd) => void;
}

/** `over`: its time is. `too small`: the next message has more bytes than were left of it. `broken`: for another reason. */
export type PullEnd = 'over' | 'too small' | 'broken';

/** A request by which nothing comes this long after its time, and which the server has not ended, is lost, in milliseconds. */
const LOST_REQUEST_MS = 1000;
/** Runs on the main thread. */
export class Pull {
  readonly #parts: PullParts;
  readonly #subject: string;
  #listening: Listening | undefined;
  #inbox = '';
  /** Messages of the running request that have not come. */
  #missing = 0;
  /** When it was asked for, or was first seen to have brought something since: `Clock.elapsed()`. */
  #heardAt = 0;
  /** Something has come since then. */
  #hasHeard = false;

  constructor(parts: PullParts) {
    this.#parts = parts;
    this.#subject = `$JS.API.CONSUMER.MSG.NEXT.${parts.stream}.${parts.consumer}`;
  }

  /** A request is on its way, or not all of it has come. The server says nothing when the last of it has. */
  get isRunning(): boolean {
    return this.#missing > 0;
  }

  /** Asked now and then: true once the running request will not end any more. */
  get isLost(): boolean {
    const { clock, pullMs } = this.#parts;
    const now = clock.elapsed();
    if (this.#hasHeard) this.#heardAt = now;
    this.#hasHeard = false;
    return this.isRunning && now - this.#heardAt > pullMs + LOST_REQUEST_MS;
  }

  /** Opens another inbox: the server forgets what was asked for by one that is closed. */
  open(): void {
    void this.close();
    const inbox = this.#parts.connection.inbox();
    this.#inbox = inbox;
    this.#listening = this.#parts.connection.listen(inbox, (message) => this.#received(message, inbox));
  }

  ask({ messages: batch, bytes: max_bytes }: Batch): void {
    const { connection, clock, pullMs } = this.#parts;
    const request = JSON.stringify({ batch, max_bytes, expires: pullMs * NANOSECONDS });
    if (!connection.send(this.#subject, request, this.#inbox)) return;
    this.#missing = batch;
    this.#heardAt = clock.elapsed();
    this.#hasHeard = false;
  }

  /** Resolves once nothing is on its way. */
  async close(): Promise<void> {
    const listening = this.#listening;
    this.#listening = undefined;
    this.#missing = 0;
    await listening?.drain();
  }

  #received(message: Incoming, inbox: string): void {
    const isRunning = inbox === this.#inbox;
    // Only a delivery is to be answered. Its subject is that under which it is stored; to look at it would make a text of it.
    if (message.reply) {
      const isAwaited = isRunning && this.#missing > 0;
      if (isAwaited) this.#missing--;
      if (isAwaited) this.#hasHeard = true;
      this.#parts.onDelivery(message, isAwaited && this.#missing === 0);
    } else if (isRunning) {
      this.#missing = 0;
      this.#parts.onEnd(endOf(message));
    }
  }
}

function endOf({ headers }: Incoming): PullEnd {
  if (headers?.code === 408 || headers?.code === 404) return 'over';
  return headers?.code === 409 && /maxbytes/i.test(headers.description) ? 'too small' : 'broken';
}
