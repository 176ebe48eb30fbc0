// A delivery, and how it lies in a lane's ring.
//
//   word 0   payload length in bytes
//   word 1   codec, flags << 8, priority << 16
//   word 2   attempts started before this one
//   word 3   attempts failed before this one | threads ended << 16 | attempts timed out << 24
//   word 4   topic length | id length << 16       (0: the subscription's own pattern; the id made from the number)
//   word 5   key length | headers length << 16
//   byte 24  number        double   counts the messages of this bus
//   byte 32  publishedAt   double   milliseconds since 1970
//   byte 40  expiresAt     double   milliseconds since 1970, 0 for never
//   byte 48  startedAt     double   written by the reader: Clock.elapsed() when the handler was called
//   byte 56  payload (unless it is large, and lies in memory of its own), then topic, id, key and headers (JSON) as UTF-8

import { RECORD_HEADER_BYTES } from './layout.js';
import type { CodecId, EncodedMessage, Headers } from './message.js';
import type { RingWriter } from './ring.js';
import { copyInto, copyOf } from './views.js';

/** Bytes before the payload. */
export const DELIVERY_HEADER_BYTES = 56;

/** Flags of a delivery. */
const LOSSY = 1;
const WANTS_REPLY = 2;
const HAS_KEY = 4;
/** The payload lies in shared memory of its own, not in the record. */
const IS_LARGE = 8;
/** Written by the reader: its attempt holds a place among the breaker's probes. */
const HOLDS_PROBE = 16;

/** The largest topic, id or key and the largest headers, in bytes: their lengths share a word. */
export const LARGEST_TEXT_BYTES = 0xffff;

/** The smallest ring in which a record without a payload always has room: the largest texts are half of it at most. */
export const SMALLEST_LANE_RING_BYTES = 128 * 1024;

/** The largest payload, with its texts, that lies in a record of a ring of this size; more of them fit than one. */
export function largestInRing(ringBytes: number): number {
  return ringBytes >> 2;
}

/** What {@link writeDelivery} did. APART: the payload did not go into the record. */
export const Written = { FULL: 0, WHOLE: 1, APART: 2 } as const;
export type Written = (typeof Written)[keyof typeof Written];

const NOTHING = new Uint8Array(0);

/** One message on its way to one subscription, with its counters. Its `id` is empty until {@link messageId} is asked. */
export interface Delivery extends EncodedMessage {
  /** Counts the messages of this bus; unique for a message, shared by its deliveries. */
  readonly number: number;
  readonly wantsReply: boolean;
  /** Attempts started, those of innocents caught in another's crash among them. */
  started: number;
  /** Attempts that counted as failed. */
  failed: number;
  /** Threads that ended while this delivery ran. */
  kills: number;
  /** Attempts that timed out: each gives the next one more time. */
  timeouts: number;
}

/** All of a delivery but its payload: what a drain reads of a record, for a view on the payload would cost 100 ns. */
export type DeliveryHead = Omit<Delivery, 'bytes'>;

/** The numbers that stand for priorities on the wire. */
const PRIORITY_NUMBER = { low: 0, normal: 1, high: 2, critical: 3 } as const;
const PRIORITY_NAME = ['low', 'normal', 'high', 'critical'] as const;

/** The place of a priority in a lane's list of rings, lowest first. */
export function priorityNumber(delivery: Pick<Delivery, 'priority'>): number {
  return PRIORITY_NUMBER[delivery.priority];
}

/** The message's id. One that was published without an id has it made from its number, and only when asked. */
export function messageId(delivery: Pick<Delivery, 'id' | 'number'>, instance: string): string {
  return delivery.id === '' ? `${instance}-${delivery.number.toString(36)}` : delivery.id;
}

/** What both ends of a lane agree on once, so that records need not repeat it. */
export interface LaneNames {
  /** Begins the ids of this bus's messages. */
  readonly instance: string;
  /** The subscription's pattern. */
  readonly pattern: string;
}

/**
 * Writes a delivery into a lane's ring, to be followed by the doorbell's `ringAtAGlance`. FULL: nothing was written.
 *
 * @param stamp the lane's GENERATION, see layout.ts
 */
export function writeDelivery(ring: RingWriter, delivery: Delivery, names: LaneNames, stamp: number): Written {
  const topic = delivery.topic === names.pattern ? '' : delivery.topic;
  const id = delivery.id;
  const headers = delivery.headers === null ? '' : JSON.stringify(delivery.headers);
  const key = delivery.key ?? '';
  const texts = topic.length + id.length + key.length + headers.length;
  const textBytes = texts === 0 ? 0 : utf8Length(topic) + utf8Length(id) + utf8Length(key) + utf8Length(headers);
  const isApart = delivery.bytes.length > 0 && delivery.bytes.length + textBytes > largestInRing(ring.capacity);
  const payload = isApart ? NOTHING : delivery.bytes;
  const offset = ring.claim(DELIVERY_HEADER_BYTES + payload.length + textBytes);
  if (offset < 0) return Written.FULL;

  const { words, doubles, bytes } = ring;
  const word = offset >> 2;
  const double = offset >> 3;
  words[word] = payload.length;
  words[word + 1] = delivery.codec | (flagsOf(delivery, payload) << 8) | (PRIORITY_NUMBER[delivery.priority] << 16);
  words[word + 2] = delivery.started;
  words[word + 3] = (delivery.failed & 0xffff) | ((delivery.kills & 0xff) << 16) | (delivery.timeouts << 24);
  words[word + 4] = 0;
  words[word + 5] = 0;
  doubles[double + 3] = delivery.number;
  doubles[double + 4] = delivery.publishedAt;
  doubles[double + 5] = delivery.expiresAt;
  doubles[double + 6] = 0;
  copyInto(ring, offset + DELIVERY_HEADER_BYTES, payload);
  if (textBytes > 0) {
    let at = offset + DELIVERY_HEADER_BYTES + payload.length;
    const write = (text: string): number => {
      const length = text === '' ? 0 : bytes.write(text, at);
      at += length;
      return length;
    };
    words[word + 4] = write(topic) | (write(id) << 16);
    words[word + 5] = write(key) | (write(headers) << 16);
  }
  ring.commitInOrder(stamp);
  return isApart ? Written.APART : Written.WHOLE;
}

function flagsOf({ lossy, wantsReply, key, bytes }: Delivery, written: Uint8Array): number {
  const isLarge = bytes.length > written.length;
  return (lossy ? LOSSY : 0) | (wantsReply ? WANTS_REPLY : 0) | (key === null ? 0 : HAS_KEY) | (isLarge ? IS_LARGE : 0);
}

/** True when the payload of the delivery whose body is at byte `offset` lies elsewhere. */
export function isLarge({ words }: RecordMemory, offset: number): boolean {
  return ((words[(offset >> 2) + 1] as number) & (IS_LARGE << 8)) !== 0;
}

function utf8Length(text: string): number {
  return text === '' ? 0 : Buffer.byteLength(text);
}

/** The memory that a delivery is read from: a ring's records, or a copy of one. */
export interface RecordMemory {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
}

/** The attempts that timed out of the delivery whose record header is at `headerWord`. */
export function timeoutsOf({ words }: RecordMemory, headerWord: number): number {
  return (words[headerWord + RECORD_HEADER_BYTES / 4 + 3] as number) >>> 24;
}

/** An attempt at the delivery whose record header is at `headerWord` has come to nothing, and is charged to nobody. */
export function countStart({ words }: RecordMemory, headerWord: number): void {
  const word = headerWord + RECORD_HEADER_BYTES / 4 + 2;
  words[word] = (words[word] as number) + 1;
}

/** True: not each attempt that was started before has failed. */
export function hasRunForFree({ words }: RecordMemory, headerWord: number): boolean {
  const word = headerWord + RECORD_HEADER_BYTES / 4 + 2;
  return (words[word] as number) > ((words[word + 1] as number) & 0xffff);
}

const PROBE_BIT = HOLDS_PROBE << 8;

/** Says in the record whose header is at `headerWord` that its attempt holds a place among the breaker's probes. */
export function markProbe({ words }: RecordMemory, headerWord: number): void {
  const word = headerWord + RECORD_HEADER_BYTES / 4 + 1;
  words[word] = (words[word] as number) | PROBE_BIT;
}

/** Takes {@link markProbe} back. False: it was not marked. */
export function takeProbe({ words }: RecordMemory, headerWord: number): boolean {
  const word = headerWord + RECORD_HEADER_BYTES / 4 + 1;
  const kinds = words[word] as number;
  words[word] = kinds & ~PROBE_BIT;
  return (kinds & PROBE_BIT) !== 0;
}

/** The started-at slot of the delivery whose record header is at `headerWord`. */
export function startedAtIndex(headerWord: number): number {
  return ((headerWord << 2) + RECORD_HEADER_BYTES + 48) >> 3;
}

/** The byte range of the payload of the delivery whose record header is at `headerWord`. */
export function payloadStart(headerWord: number): number {
  return (headerWord << 2) + RECORD_HEADER_BYTES + DELIVERY_HEADER_BYTES;
}

/** Where it ends. */
export function payloadEnd({ words }: RecordMemory, headerWord: number): number {
  return payloadStart(headerWord) + (words[headerWord + RECORD_HEADER_BYTES / 4] as number);
}

/**
 * Reads the delivery whose body is at byte `offset`. Its `bytes` are a view on `memory`: copy them with
 * {@link ownDelivery} before the record is released.
 */
export function readDelivery(memory: RecordMemory, offset: number, names: LaneNames): Delivery {
  const start = offset + DELIVERY_HEADER_BYTES;
  return readWith(memory, offset, names, memory.bytes.subarray(start, start + (memory.words[offset >> 2] as number)));
}

/** As {@link readDelivery}, without the payload. */
export function readHead(memory: RecordMemory, offset: number, names: LaneNames): DeliveryHead {
  return readWith(memory, offset, names, NOTHING);
}

function readWith(memory: RecordMemory, offset: number, names: LaneNames, payload: Uint8Array): Delivery {
  const { words, doubles, bytes } = memory;
  const word = offset >> 2;
  const double = offset >> 3;
  const payloadLength = words[word] as number;
  const kinds = words[word + 1] as number;
  const failures = words[word + 3] as number;
  const topicAndId = words[word + 4] as number;
  const keyAndHeaders = words[word + 5] as number;
  const flags = (kinds >> 8) & 0xff;
  const number = doubles[double + 3] as number;

  let at = offset + DELIVERY_HEADER_BYTES + payloadLength;
  const text = (length: number): string => {
    const start = at;
    at += length;
    return bytes.toString('utf8', start, at);
  };
  const topic = topicAndId & 0xffff ? text(topicAndId & 0xffff) : names.pattern;
  const id = topicAndId >>> 16 ? text(topicAndId >>> 16) : '';
  const key = flags & HAS_KEY ? text(keyAndHeaders & 0xffff) : null;
  const headers: Headers | null = keyAndHeaders >>> 16 ? headersOf(text(keyAndHeaders >>> 16)) : null;
  return {
    number,
    id,
    topic,
    key,
    headers,
    priority: PRIORITY_NAME[(kinds >> 16) & 0xff] ?? 'normal',
    publishedAt: doubles[double + 4] as number,
    expiresAt: doubles[double + 5] as number,
    codec: (kinds & 0xff) as CodecId,
    lossy: (flags & LOSSY) !== 0,
    wantsReply: (flags & WANTS_REPLY) !== 0,
    bytes: payload,
    started: words[word + 2] as number,
    failed: failures & 0xffff,
    kills: (failures >>> 16) & 0xff,
    timeouts: failures >>> 24,
  };
}

/** Null also for what is none: a bad record must not keep the others of its ring from being read. */
function headersOf(text: string): Headers | null {
  try {
    return JSON.parse(text) as Headers;
  } catch {
    return null;
  }
}

/** Shared memory that holds one payload, and that nobody else writes to: what users share is theirs to write. */
const ownMemories = new WeakSet<ArrayBufferLike>();

/** These bytes in shared memory of their own; as they are, if they lie so already. */
export function inOwnMemory(bytes: Uint8Array): Uint8Array {
  if (ownMemories.has(bytes.buffer)) return bytes;
  const own = sharedMemory(bytes.length);
  own.set(bytes);
  return own;
}

/** Shared memory for one payload, which is nobody else's to write to. */
export function sharedMemory(bytes: number): Uint8Array {
  const own = new Uint8Array(new SharedArrayBuffer(bytes));
  ownMemories.add(own.buffer);
  return own;
}

/** A delivery that owns its bytes, and so outlives the record or the scratch buffer it was read from. */
export function ownDelivery(delivery: Delivery): Delivery {
  if (ownMemories.has(delivery.bytes.buffer)) return { ...delivery };
  return { ...delivery, bytes: copyOf(delivery.bytes) };
}
