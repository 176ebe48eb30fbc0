// A lane's outbox as its drain writes it: outcomes wait for room, and wake main.
import { BreakerDirectory } from '../../src/shared/breaker-directory.js';
import { type Clock, systemClock } from '../../src/shared/clock.js';
import type { ContextOutlet } from '../../src/shared/context.js';
import type { RecordMemory } from '../../src/shared/delivery.js';
import type { Doorbell } from '../../src/shared/doorbell.js';
import { BusbarError } from '../../src/shared/errors.js';
import type { DrainTask } from '../../src/shared/lane-task.js';
import { aligned, LENGTH, RECORD_HEADER_BYTES } from '../../src/shared/layout.js';
import type { CodecId } from '../../src/shared/message.js';
import {
  type DetailedOutcome,
  type FailedAgain,
  type LogDetail,
  Outcome,
  type OutcomeDetails,
  outcomeBytes,
  type RecordAddress,
  writeFailedAgain,
  writeHandled,
  writeOutcome,
} from '../../src/shared/outcome.js';
import { largestPart, writePart } from '../../src/shared/parts.js';
import { createRedactor, type Redactor } from '../../src/shared/redact.js';
import { replyBytes, writeReply, writeSimpleReply } from '../../src/shared/reply.js';
import { RingWriter } from '../../src/shared/ring.js';

/** An outcome that is to be written. */
export type PendingOutcome =
  | {
      [K in Exclude<DetailedOutcome, typeof Outcome.FAILED_AGAIN>]: {
        kind: K;
        detail: OutcomeDetails[K];
        bytes?: Uint8Array;
      };
    }[Exclude<DetailedOutcome, typeof Outcome.FAILED_AGAIN>]
  | { kind: typeof Outcome.REPLIED; number: number; codec: CodecId; bytes: Uint8Array | null }
  | { kind: typeof Outcome.PART; total: number; bytes: Uint8Array }
  | { kind: typeof Outcome.HANDLED; number: number };

/** A payload that a handler returns or publishes. */
export interface Payload {
  /** Null: its parts come before. */
  readonly bytes: Uint8Array | null;
  readonly parts: readonly PendingOutcome[];
}

/** How long to wait for main to empty a full outbox before looking again, in milliseconds. */
const ROOM_WAIT_MS = 1;

/** In a storm of failures, or where a transport is told of each success, main is woken for this many at once. */
const MOST_UNHEARD = 256;

const MOST_CHARACTERS_OF_A_CUT = 100;

/** For what belongs to no record. */
export const NOWHERE: RecordAddress = { place: 0, sequence: 0, isPastOthers: false };

/** Belongs to one drain. */
export class Outbox implements ContextOutlet {
  readonly clock: Clock;
  readonly redactor: Redactor;
  readonly breakers: BreakerDirectory;
  readonly isRemote: boolean;
  readonly #ring: RingWriter;
  readonly #mainBell: Doorbell;
  readonly #mostBytes: number;
  readonly #onWait: () => void;
  #lostLines = 0;
  /** Records that main was not woken for. */
  #unheard = 0;
  /** Those that wait for room, and the end of the last one's wait: main relies on the order of what it is told. */
  #waiting = 0;
  #lastWait: Promise<void> = Promise.resolve();

  /** @param onWait called again and again while main has to make room */
  constructor(task: DrainTask, mainBell: Doorbell, clock: Clock, onWait: () => void) {
    const { outbox, breakers, maxMessageBytes, tellsHandled } = task;
    this.#mostBytes = maxMessageBytes;
    this.isRemote = tellsHandled;
    this.redactor = createRedactor(task.redact);
    this.#onWait = onWait;
    this.clock = clock;
    this.breakers = new BreakerDirectory(breakers, clock);
    this.#ring = new RingWriter(outbox);
    this.#mainBell = mainBell;
  }

  /** @throws BUSBAR_MESSAGE_TOO_LARGE */
  assertFits(bytes: number, detail: unknown = null): void {
    this.#assertWithin(bytes, this.#mostBytes, 'maxMessageBytes');
    this.#assertWithin(outcomeBytes(0, detail), this.#ring.largestRecord, 'what an outbox takes at once');
  }

  /** A payload as it is, or in parts where no record has room for it beside `detail`. It is copied. */
  payloadOf(bytes: Uint8Array, detail: unknown): Payload {
    const own = new Uint8Array(bytes);
    if (outcomeBytes(own.length, detail) <= this.#ring.largestRecord) return { bytes: own, parts: [] };
    const parts: PendingOutcome[] = [];
    const most = largestPart(this.#ring);
    for (let start = 0; start < own.length; start += most) {
      parts.push({ kind: Outcome.PART, total: own.length, bytes: own.subarray(start, start + most) });
    }
    return { bytes: null, parts };
  }

  /** Writes a reply and wakes main. False: there is no room now, or never for so much. */
  reply(number: number, codec: CodecId, bytes: Uint8Array): boolean {
    if (replyBytes(bytes.length) > this.#ring.largestRecord) return false;
    if (!writeReply(this.#ring, number, codec, bytes)) return false;
    this.#mainBell.ring();
    return true;
  }

  /** The same of one that needs no encoding. */
  replySimply(number: number, value: number | undefined): boolean {
    if (!writeSimpleReply(this.#ring, number, value)) return false;
    this.#mainBell.ring();
    return true;
  }

  #assertWithin(size: number, most: number, limit: string): void {
    if (size <= most) return;
    const what = `a message of ${size} bytes is larger than ${limit}: ${most} bytes`;
    throw new BusbarError('BUSBAR_MESSAGE_TOO_LARGE', what);
  }

  /** Writes all and wakes main, or returns the index of the first that found no room, or waits behind others. */
  writeAll(address: RecordAddress, outcomes: readonly PendingOutcome[]): number {
    return this.#waiting > 0 ? 0 : this.#writeFrom(0, address, outcomes);
  }

  /**
   * Writes a failure that repeats others, and leaves main asleep: call {@link ring} before long. False: no room.
   *
   * @param record of the delivery
   */
  failAgain(address: RecordAddress, again: FailedAgain, memory: RecordMemory, record: number): boolean {
    if (this.#waiting > 0) return false;
    const from = (record << 2) + RECORD_HEADER_BYTES;
    const to = (record << 2) + aligned(memory.words[record + LENGTH] as number);
    if (!writeFailedAgain(this.#ring, address, again, memory, from, to)) return false;
    if (++this.#unheard >= MOST_UNHEARD) this.ring();
    return true;
  }

  /** Tells a success, and leaves main asleep: call {@link ring} before long. False: no room. */
  handled(number: number): boolean {
    if (!writeHandled(this.#ring, number)) return false;
    if (++this.#unheard >= MOST_UNHEARD) this.ring();
    return true;
  }

  /** Wakes main if there is something that it was not woken for. */
  ring(): void {
    if (this.#unheard === 0) return;
    this.#unheard = 0;
    this.#mainBell.ring();
  }

  /** Writes all, waiting for main to make room, behind those that wait already. */
  writeAllSoon(address: RecordAddress, outcomes: readonly PendingOutcome[], from: number): Promise<void> {
    this.#waiting++;
    this.#lastWait = this.#lastWait.then(() => this.#writeWaiting(address, outcomes, from));
    return this.#lastWait;
  }

  async #writeWaiting(address: RecordAddress, outcomes: readonly PendingOutcome[], from: number): Promise<void> {
    let index = from;
    const fitting = outcomes.map((outcome) => this.#fitting(outcome));
    while (index < outcomes.length) {
      this.#mainBell.ring();
      this.#onWait();
      await new Promise<void>((resume) => systemClock.after(ROOM_WAIT_MS, resume, true));
      index = this.#writeFrom(index, address, fitting);
    }
    this.#waiting--;
  }

  /** A failure whose description would never fit, without all that is not needed to decide about it. */
  #fitting(outcome: PendingOutcome): PendingOutcome {
    if (!('detail' in outcome) || outcome.detail === null || !('error' in outcome.detail)) return outcome;
    if (outcomeBytes(outcome.bytes?.length ?? 0, outcome.detail) <= this.#ring.largestRecord) return outcome;
    const { error, recovery_error: _, ...detail } = outcome.detail;
    const { name, message } = error;
    const short = { name, message: message.slice(0, MOST_CHARACTERS_OF_A_CUT) };
    return { ...outcome, detail: { ...detail, error: short, preview: '' } } as PendingOutcome;
  }

  #writeFrom(from: number, address: RecordAddress, outcomes: readonly PendingOutcome[]): number {
    let index = from;
    while (index < outcomes.length && this.#write(address, outcomes[index] as PendingOutcome)) index++;
    if (index > from) this.#mainBell.ring();
    return index;
  }

  /** As if the handler had thrown it: what is thrown late is pinned to the attempt that it comes from. */
  late(error: BusbarError): void {
    queueMicrotask(() => {
      throw error;
    });
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

  #write(address: RecordAddress, outcome: PendingOutcome): boolean {
    if (outcome.kind === Outcome.HANDLED) return writeHandled(this.#ring, outcome.number);
    if (outcome.kind === Outcome.PART) return writePart(this.#ring, outcome.total, outcome.bytes);
    if (outcome.kind === Outcome.REPLIED) return writeReply(this.#ring, outcome.number, outcome.codec, outcome.bytes);
    return writeOutcome(this.#ring, outcome.kind, address, outcome.detail, outcome.bytes);
  }
}
