// How a message lies in the stream: a version, its facts as JSON, then the payload as encoded.
//
//   byte 0   version, 1; with the highest bit set: it was sent again, and may have been stored and handled before
//   byte 1   length of the facts in bytes, unsigned, 32 bits, little endian
//   byte 5   the facts: id, codec, published_at and, where they are not the default, key, priority, headers, expires_at, lossy
//            then the payload
import { codecFromName, codecName } from '../shared/codec.js';
import { BusbarError } from '../shared/errors.js';
import { Codec, type EncodedMessage, type Headers, PRIORITIES, type Priority } from '../shared/message.js';
import { asBuffer } from '../shared/views.js';
import type { Arrival } from './transport.js';

const VERSION = 1;
/** Beside the version. */
const SENT_AGAIN = 0x80;
/** The first message to a new consumer: nothing to handle. No other message is so short. */
export const OPENING = Buffer.of(0);
const HEAD_BYTES = 5;

interface Facts {
  id: string;
  codec: string;
  published_at: number;
  key?: string;
  priority?: Priority;
  headers?: Headers;
  expires_at?: number;
  lossy?: true;
}

export function isOpening(data: Uint8Array): boolean {
  return data.byteLength === OPENING.byteLength && data[0] === OPENING[0];
}

/** Says in the encoded message that it may have been stored, and handled, before. */
export function markSentAgain(encoded: Uint8Array): void {
  encoded[0] = VERSION | SENT_AGAIN;
}

/** True: the server may have stored this message before, under another sequence, and forgotten that it did. */
export function wasSentAgain(encoded: Uint8Array): boolean {
  return encoded[0] === (VERSION | SENT_AGAIN);
}

export function encodeMessage(message: EncodedMessage): Buffer {
  const { id, codec, publishedAt, key, priority, headers, expiresAt, lossy, bytes } = message;
  const facts: Facts = { id, codec: codecName(codec), published_at: publishedAt };
  if (key !== null) facts.key = key;
  if (priority !== 'normal') facts.priority = priority;
  if (headers !== null) facts.headers = headers;
  if (expiresAt !== 0) facts.expires_at = expiresAt;
  if (lossy) facts.lossy = true;
  const text = JSON.stringify(facts);
  const textBytes = Buffer.byteLength(text);
  const encoded = Buffer.allocUnsafe(HEAD_BYTES + textBytes + bytes.byteLength);
  encoded[0] = VERSION;
  encoded.writeUInt32LE(textBytes, 1);
  encoded.write(text, HEAD_BYTES);
  encoded.set(bytes, HEAD_BYTES + textBytes);
  return encoded;
}

/**
 * The message as it was encoded; its `bytes` are a view on `data`.
 *
 * @param started attempts that may have been started before
 * @throws BUSBAR_DECODING
 */
export function decodeMessage(topic: string, data: Uint8Array, started: number): Arrival {
  const bytes = asBuffer(data);
  if (bytes.length < HEAD_BYTES || (bytes[0] as number) % SENT_AGAIN !== VERSION)
    throw undecodable('it was not published by busbar');
  const end = HEAD_BYTES + bytes.readUInt32LE(1);
  if (end > bytes.length) throw undecodable('it is cut off');
  let facts: unknown;
  try {
    facts = JSON.parse(bytes.toString('utf8', HEAD_BYTES, end));
  } catch {
    throw undecodable('its facts are no JSON');
  }
  return messageOf(topic, facts, bytes.subarray(end), started);
}

function messageOf(topic: string, facts: unknown, bytes: Uint8Array, started: number): Arrival {
  if (typeof facts !== 'object' || facts === null) throw undecodable('its facts are no object');
  const { id, codec, published_at, key, priority, headers, expires_at, lossy } = facts as Partial<Facts>;
  const codecId = typeof codec === 'string' ? codecFromName(codec) : undefined;
  if (codecId === undefined) throw undecodable(`its codec ${JSON.stringify(codec)?.slice(0, 40)} is not known`);
  const isSound =
    typeof id === 'string' &&
    (key === undefined || typeof key === 'string') &&
    (expires_at === undefined || typeof expires_at === 'number') &&
    (priority === undefined || PRIORITIES.includes(priority)) &&
    (headers === undefined || isHeaders(headers));
  if (!isSound || typeof published_at !== 'number') throw undecodable('its facts are not what they should be');
  return {
    id: id as string,
    topic,
    key: key ?? null,
    priority: priority ?? 'normal',
    headers: headers ?? null,
    publishedAt: published_at,
    expiresAt: expires_at ?? 0,
    codec: codecId,
    lossy: lossy === true,
    bytes,
    started,
  };
}

/** A message that cannot be decoded, as raw bytes, so that it can be looked at. */
export function rawMessage(topic: string, data: Uint8Array, id: string, publishedAt: number, started: number): Arrival {
  const common = { key: null, priority: 'normal', headers: null, expiresAt: 0, lossy: false } as const;
  return { ...common, id, topic, publishedAt, codec: Codec.BUFFER, bytes: data, started };
}

function isHeaders(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((entry) => typeof entry === 'string');
}

function undecodable(why: string): BusbarError {
  return new BusbarError('BUSBAR_DECODING', `a message in the stream cannot be read: ${why}`);
}
