// What a lane worker tells main about an attempt: the records of a lane's outbox ring.
//
//   word 0   place in the lane's list of rings, PAST_OTHERS, slot << 8 (FAILED_AGAIN: the failure it repeats)
//   word 1   SEQUENCE of the delivery's record in that ring
//   word 2   length of the bytes
//   word 3   length of the detail (JSON; FAILED_AGAIN: the message as it is, none when it is the same)
//   byte 16  the bytes: a copy of the delivery's record body, or a payload; then the detail

import type { RecordMemory } from './delivery.js';
import { aligned, KIND, RECORD_HEADER_BYTES } from './layout.js';
import type { CodecId, Headers, Priority } from './message.js';
import type { ErrorCategory, ErrorPhase, ErrorRecord, ErrorSeverity } from './report.js';
import type { RingWriter } from './ring.js';

/** Bytes before an outcome's bytes. */
const OUTCOME_HEADER_BYTES = 16;

/** What an outbox record is. Those below HANDS_BACK give the delivery back to main, which settles it. */
export const Outcome = {
  FAILED: 1,
  RETRY_LATER: 2,
  DISCARDED: 3,
  DEAD_LETTERED: 4,
  EXPIRED: 5,
  /** The breaker is open and the subscription does not hold. */
  REFUSED: 6,
  /** Failed as others did before: main knows the rest from the last FAILED of this slot. */
  FAILED_AGAIN: 7,
  /** Not begun: it has to wait on main for the verdict on another one. */
  BOUNCED: 8,
  /** Failed, and its function does not settle: the thread ends itself for it, and until then main leaves this unread. */
  ABANDONED: 9,
  /** An attempt after a failed one succeeded. */
  RECOVERED: 16,
  REPLIED: 17,
  PUBLISHED: 18,
  LOGGED: 19,
  /** Something of a delivery that was settled before threw afterwards. */
  THREW_LATE: 20,
  /** Told only when the bus is under test: elsewhere successes are counted, not told. */
  SUCCEEDED: 21,
  /** A handler succeeded, and a transport wants to know; the body is the message's number, a double. */
  HANDLED: 22,
  /** A part of a payload that no record has room for; the REPLIED or PUBLISHED that follows the last one has none. */
  PART: 23,
} as const;
export type Outcome = (typeof Outcome)[keyof typeof Outcome];

const HANDS_BACK = 16;

/** True when the delivery is main's again. */
export function handsBack(kind: number): boolean {
  return kind < HANDS_BACK;
}

/** A failed attempt, classified where the error still had its class. */
export interface Failure {
  category: ErrorCategory;
  severity: ErrorSeverity;
  phase: ErrorPhase;
  error: ErrorRecord;
  signature: string;
  /** The payload, redacted, cut at 1000 characters; undefined: not made yet. */
  preview: string | undefined;
  /** Of a connection error, where the handler's module has a reconnect hook: whether it brought the connection back. */
  reconnected?: boolean;
  /** What went wrong with that hook, redacted. */
  recovery_error?: string;
}

/** A failure that later ones may refer to by its slot. */
export interface SlottedFailure extends Failure {
  slot?: number;
}

/** The failure of a slot once more. */
export interface FailedAgain {
  slot: number;
  /** Redacted; null: the same as before. */
  message: string | null;
}

/** What a record with a detail can be. */
export type DetailedOutcome = Exclude<Outcome, typeof Outcome.REPLIED | typeof Outcome.HANDLED | typeof Outcome.PART>;

/** The details that go with each kind. */
export interface OutcomeDetails {
  [Outcome.FAILED]: SlottedFailure;
  [Outcome.RETRY_LATER]: { delayMs: number };
  [Outcome.DISCARDED]: Failure;
  [Outcome.DEAD_LETTERED]: Failure;
  [Outcome.EXPIRED]: null;
  [Outcome.REFUSED]: null;
  [Outcome.FAILED_AGAIN]: FailedAgain;
  [Outcome.BOUNCED]: null;
  [Outcome.ABANDONED]: Failure;
  [Outcome.RECOVERED]: { number: number };
  [Outcome.PUBLISHED]: PublishedDetail;
  [Outcome.LOGGED]: LogDetail;
  [Outcome.THREW_LATE]: LateThrow;
  [Outcome.SUCCEEDED]: { id: string; topic: string };
}

/** A message that a handler published. */
export interface PublishedDetail {
  id: string;
  topic: string;
  codec: CodecId;
  lossy: boolean;
  priority: Priority;
  key: string | null;
  headers: Headers | null;
  ttlMs: number | null;
  delayMs: number | null;
  /** True: its payload came before it, in parts. */
  isApart?: boolean;
}

/** A line that a handler logged. */
export interface LogDetail {
  level: 'info' | 'warn' | 'error';
  message: string;
  fields: unknown;
  id: string;
  topic: string;
  /** Lines lost before this one because main could not keep up. */
  lostLines?: number;
}

/** An error that came after its delivery was settled, and the message whose handler caused it, if known. */
export interface LateThrow {
  failure: Failure;
  id: string | null;
  topic: string | null;
}

const NOTHING = new Uint8Array(0);

/** Where the delivery of an outcome lies: its lane's ring and its record's SEQUENCE. */
export interface RecordAddress {
  readonly place: number;
  readonly sequence: number;
  /** True: the reader has passed records before it, which may come back later than this one. */
  readonly isPastOthers: boolean;
}

const PAST_OTHERS = 0x80;

function placeWord({ place, isPastOthers }: RecordAddress): number {
  return isPastOthers ? place | PAST_OTHERS : place;
}

/** Writes an outcome. False: the outbox is full, and nothing was written. */
export function writeOutcome<K extends DetailedOutcome>(
  outbox: RingWriter,
  kind: K,
  address: RecordAddress,
  detail: OutcomeDetails[K],
  bytes: Uint8Array = NOTHING,
): boolean {
  const text = detail === null ? '' : JSON.stringify(detail);
  const textBytes = Buffer.byteLength(text);
  const textStart = OUTCOME_HEADER_BYTES + aligned(bytes.byteLength);
  const offset = outbox.claim(textStart + textBytes);
  if (offset < 0) return false;
  const word = offset >> 2;
  outbox.words[word] = placeWord(address);
  outbox.words[word + 1] = address.sequence;
  outbox.words[word + 2] = bytes.byteLength;
  outbox.words[word + 3] = textBytes;
  outbox.bytes.set(bytes, offset + OUTCOME_HEADER_BYTES);
  outbox.bytes.write(text, offset + textStart);
  outbox.commit(kind);
  return true;
}

/**
 * Writes a failure that repeats that of a slot, in a tenth of the time.
 *
 * @param body the delivery's record body: from byte `from` to byte `to`, both multiples of 8
 */
export function writeFailedAgain(
  outbox: RingWriter,
  address: RecordAddress,
  { slot, message }: FailedAgain,
  body: RecordMemory,
  from: number,
  to: number,
): boolean {
  const textBytes = message === null ? 0 : Buffer.byteLength(message);
  const textStart = OUTCOME_HEADER_BYTES + to - from;
  const offset = outbox.claim(textStart + textBytes);
  if (offset < 0) return false;
  const word = offset >> 2;
  outbox.words[word] = placeWord(address) | (slot << 8);
  outbox.words[word + 1] = address.sequence;
  outbox.words[word + 2] = to - from;
  outbox.words[word + 3] = textBytes;
  // Small as most are, a view on them would cost more than they do.
  let target = (offset + OUTCOME_HEADER_BYTES) >> 3;
  for (let source = from >> 3; source < to >> 3; source++) outbox.doubles[target++] = body.doubles[source] as number;
  if (message !== null) outbox.bytes.write(message, offset + textStart);
  outbox.commit(Outcome.FAILED_AGAIN);
  return true;
}

/** Writes that the message of this number was handled. False: the outbox is full, and nothing was written. */
export function writeHandled(outbox: RingWriter, number: number): boolean {
  const offset = outbox.claim(8);
  if (offset < 0) return false;
  outbox.doubles[offset >> 3] = number;
  outbox.commit(Outcome.HANDLED);
  return true;
}

/** The number of the message whose success is told by the record whose header is at `word`. */
export function readHandled({ doubles }: RecordMemory, word: number): number {
  return doubles[(word + RECORD_HEADER_BYTES / 4) >> 1] as number;
}

/** The bytes that an outcome of this size needs in the outbox. */
export function outcomeBytes(bytes: number, detail: unknown): number {
  return OUTCOME_HEADER_BYTES + aligned(bytes) + Buffer.byteLength(detail === null ? '' : JSON.stringify(detail));
}

/** One outbox record as read. `bytes` is a view, valid until the outbox reader releases; empty when handed back. */
export type ReadOutcome = {
  [K in DetailedOutcome]: {
    kind: K;
    address: RecordAddress;
    detail: OutcomeDetails[K];
    bytes: Uint8Array;
    bodyOffset: number;
  };
}[DetailedOutcome];

/** What the outbox record is whose header is at `word`. */
export function outcomeKind(outbox: RecordMemory, word: number): number {
  return outbox.words[word + KIND] as number;
}

/** Reads the outcome whose record header is at `word`; `bodyOffset` is where its bytes lie in the outbox's memory. */
export function readOutcome(outbox: RecordMemory, word: number): ReadOutcome {
  const { words, bytes } = outbox;
  const kind = words[word + KIND] as Outcome;
  const body = word + RECORD_HEADER_BYTES / 4;
  const bodyOffset = (body << 2) + OUTCOME_HEADER_BYTES;
  const length = words[body + 2] as number;
  const textLength = words[body + 3] as number;
  const textStart = bodyOffset + aligned(length);
  const text = textLength === 0 ? '' : bytes.toString('utf8', textStart, textStart + textLength);
  const placeAndSlot = words[body] as number;
  return {
    kind,
    address: {
      place: placeAndSlot & (PAST_OTHERS - 1),
      sequence: words[body + 1] as number,
      isPastOthers: (placeAndSlot & PAST_OTHERS) !== 0,
    },
    detail: kind === Outcome.FAILED_AGAIN ? againOf(placeAndSlot >>> 8, text) : text === '' ? null : JSON.parse(text),
    bytes: handsBack(kind) ? NOTHING : bytes.subarray(bodyOffset, bodyOffset + length),
    bodyOffset,
  } as ReadOutcome;
}

function againOf(slot: number, text: string): FailedAgain {
  return { slot, message: text === '' ? null : text };
}
