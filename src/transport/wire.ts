// How a message lies in the stream.
//
//   byte 0    version, 2; with the highest bit set: it was sent again, and may have been stored and handled before
//   byte 1    codec
//   byte 2    priority: its place among PRIORITIES
//   byte 3    flags: 1 lossy, 2 has a key, 4 has headers
//   byte 4    lengths of id, key and headers in bytes, unsigned, 32 bits each
//   byte 16   publishedAt   double   milliseconds since 1970
//   byte 24   expiresAt     double   milliseconds since 1970, 0 for never
//   byte 32   id, key and headers (JSON) as UTF-8, then the payload
//
// All little endian. Version 1, with the facts as JSON, is still read: wire-first.ts.
import { isCodec } from '../shared/codec.js';
import { Codec, type EncodedMessage, type Headers, PRIORITIES } from '../shared/message.js';
import { asBuffer } from '../shared/views.js';
import type { Arrival } from './transport.js';
import { cutOff, isHeaders, undecodable } from './undecodable.js';
import { decodeFirstVersion } from './wire-first.js';

const VERSION = 2;
/** Beside the version. */
const SENT_AGAIN = 0x80;
/** The first message to a new consumer: nothing to handle. No other message is so short. */
export const OPENING = Buffer.of(0);
const HEAD_BYTES = 32;
const LOSSY = 1;
const HAS_KEY = 2;
const HAS_HEADERS = 4;

export function isOpening(data: Uint8Array): boolean {
  return data.byteLength === OPENING.byteLength && data[0] === OPENING[0];
}

/** Says in the encoded message that it may have been stored, and handled, before. */
export function markSentAgain(encoded: Uint8Array): void {
  encoded[0] = VERSION | SENT_AGAIN;
}

/** True: the server may have stored this message before, under another sequence, and forgotten that it did. */
export function wasSentAgain(encoded: Uint8Array): boolean {
  const first = encoded[0] ?? 0;
  return first > SENT_AGAIN && first <= (VERSION | SENT_AGAIN);
}

export function encodeMessage(message: EncodedMessage): Buffer {
  const { id, codec, publishedAt, priority, expiresAt, lossy, bytes } = message;
  const key = message.key ?? '';
  const headers = message.headers === null ? '' : JSON.stringify(message.headers);
  const idBytes = Buffer.byteLength(id);
  const keyBytes = Buffer.byteLength(key);
  const headersBytes = Buffer.byteLength(headers);
  const texts = HEAD_BYTES + idBytes + keyBytes + headersBytes;
  const encoded = Buffer.allocUnsafe(texts + bytes.byteLength);
  encoded[0] = VERSION;
  encoded[1] = codec;
  encoded[2] = PRIORITIES.indexOf(priority);
  encoded[3] =
    (lossy ? LOSSY : 0) | (message.key === null ? 0 : HAS_KEY) | (message.headers === null ? 0 : HAS_HEADERS);
  encoded.writeUInt32LE(idBytes, 4);
  encoded.writeUInt32LE(keyBytes, 8);
  encoded.writeUInt32LE(headersBytes, 12);
  encoded.writeDoubleLE(publishedAt, 16);
  encoded.writeDoubleLE(expiresAt, 24);
  // One by one: halves of a surrogate pair that meet would take fewer bytes than each by itself.
  encoded.write(id, HEAD_BYTES);
  encoded.write(key, HEAD_BYTES + idBytes);
  encoded.write(headers, HEAD_BYTES + idBytes + keyBytes);
  encoded.set(bytes, texts);
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
  const version = (bytes[0] ?? 0) % SENT_AGAIN;
  if (version === 1) return decodeFirstVersion(topic, bytes, started);
  if (version !== VERSION) throw undecodable('it was not published by busbar');
  if (bytes.length < HEAD_BYTES) throw cutOff();
  const idEnd = HEAD_BYTES + bytes.readUInt32LE(4);
  const keyEnd = idEnd + bytes.readUInt32LE(8);
  const headersEnd = keyEnd + bytes.readUInt32LE(12);
  if (headersEnd > bytes.length) throw cutOff();
  const codec = bytes[1] as number;
  if (!isCodec(codec)) throw undecodable(`its codec ${codec} is not known`);
  const priority = PRIORITIES[bytes[2] as number];
  const flags = bytes[3] as number;
  const publishedAt = bytes.readDoubleLE(16);
  const expiresAt = bytes.readDoubleLE(24);
  const areSound = priority !== undefined && Number.isFinite(publishedAt) && Number.isFinite(expiresAt);
  if (!areSound) throw undecodable('its facts are not what they should be');
  // Where each byte is a character, as in most, both are cut out of one text: another one takes another call into native code.
  const texts = bytes.toString('utf8', HEAD_BYTES, keyEnd);
  const isAscii = texts.length === keyEnd - HEAD_BYTES;
  const textOf = (from: number, end: number): string =>
    isAscii ? texts.slice(from - HEAD_BYTES, end - HEAD_BYTES) : bytes.toString('utf8', from, end);
  return {
    id: textOf(HEAD_BYTES, idEnd),
    topic,
    key: flags & HAS_KEY ? textOf(idEnd, keyEnd) : null,
    priority,
    headers: flags & HAS_HEADERS ? headersOf(bytes.toString('utf8', keyEnd, headersEnd)) : null,
    publishedAt,
    expiresAt,
    codec,
    lossy: (flags & LOSSY) !== 0,
    bytes: bytes.subarray(headersEnd),
    started,
  };
}

/** A message that cannot be decoded, as raw bytes, so that it can be looked at. */
export function rawMessage(topic: string, data: Uint8Array, id: string, publishedAt: number, started: number): Arrival {
  const common = { key: null, priority: 'normal', headers: null, expiresAt: 0, lossy: false } as const;
  return { ...common, id, topic, publishedAt, codec: Codec.BUFFER, bytes: data, started };
}

function headersOf(text: string): Headers {
  let headers: unknown;
  try {
    headers = JSON.parse(text);
  } catch {
    throw undecodable('its headers are no JSON');
  }
  if (!isHeaders(headers)) throw undecodable('its headers are not what they should be');
  return headers;
}
