// A lane's outbox as its drain writes it: outcomes wait for room, and wake main.
import { type Clock, systemClock } from '../../src/shared/clock.js';
import type { ContextOutlet } from '../../src/shared/context.js';
import type { Doorbell } from '../../src/shared/doorbell.js';
import { BusbarError } from '../../src/shared/errors.js';
import {
  type LogDetail,
  Outcome,
  type OutcomeDetails,
  outcomeBytes,
  type RecordAddress,
  writeOutcome,
} from '../../src/shared/outcome.js';
import type { RingWriter } from '../../src/shared/ring.js';

/** An outcome that is to be written. */
export type PendingOutcome = {
  [K in Outcome]: { kind: K; detail: OutcomeDetails[K]; bytes?: Uint8Array };
}[Outcome];

/** How long to wait for main to empty a full outbox before looking again, in milliseconds. */
const ROOM_WAIT_MS = 1;

/** For what belongs to no record. */
export const NOWHERE: RecordAddress = { place: 0, sequence: 0 };

/** Belongs to one drain. */
export class Outbox implements ContextOutlet {
  readonly clock: Clock;
  readonly #ring: RingWriter;
  readonly #mainBell: Doorbell;
  #lostLines = 0;

  constructor(ring: RingWriter, mainBell: Doorbell, clock: Clock) {
    this.clock = clock;
    this.#ring = ring;
    this.#mainBell = mainBell;
  }

  /** @throws BUSBAR_MESSAGE_TOO_LARGE when bytes of this size can never be written */
  assertFits(bytes: number, detail: unknown): void {
    const size = outcomeBytes(bytes, detail);
    if (size <= this.#ring.largestRecord) return;
    const limit = `${this.#ring.largestRecord} bytes that a handler can send at once`;
    throw new BusbarError('BUSBAR_MESSAGE_TOO_LARGE', `a message of ${size} bytes is larger than the ${limit}`);
  }

  /** Writes all and wakes main, or returns the index of the first that found no room. */
  writeAll(address: RecordAddress, outcomes: readonly PendingOutcome[], from = 0): number {
    let index = from;
    while (index < outcomes.length && this.#write(address, outcomes[index] as PendingOutcome)) index++;
    if (index > from) this.#mainBell.ring();
    return index;
  }

  /** Writes all, waiting for main to make room. */
  async writeAllSoon(address: RecordAddress, outcomes: readonly PendingOutcome[], from: number): Promise<void> {
    let index = from;
    while (index < outcomes.length) {
      this.#mainBell.ring();
      await new Promise<void>((resume) => systemClock.after(ROOM_WAIT_MS, resume, true));
      index = this.writeAll(address, outcomes, index);
    }
  }

  /** Writes a log line. One that finds no room is lost, and the next one says how many were. */
  log(line: LogDetail): void {
    const detail = this.#lostLines === 0 ? line : { ...line, lostLines: this.#lostLines };
    const fits = outcomeBytes(0, detail) <= this.#ring.largestRecord;
    if (fits && writeOutcome(this.#ring, Outcome.LOGGED, NOWHERE, detail)) {
      this.#lostLines = 0;
      this.#mainBell.ring();
    } else {
      this.#lostLines++;
    }
  }

  #write<O extends PendingOutcome>(address: RecordAddress, { kind, detail, bytes }: O): boolean {
    return writeOutcome(this.#ring, kind, address, detail as OutcomeDetails[O['kind']], bytes);
  }
}
