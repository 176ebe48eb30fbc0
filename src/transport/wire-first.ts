// How a message lay in the stream before version 2: still read, for what waits in a stream outlives a program.
//
//   byte 0   version, 1, as in wire.ts
//   byte 1   length of the facts in bytes, unsigned, 32 bits, little endian
//   byte 5   the facts as JSON: id, codec, published_at and, where they are not the default, key, priority, headers, expires_at, lossy
//            then the payload
import { codecFromName } from '../shared/codec.js';
import { type Headers, PRIORITIES, type Priority } from '../shared/message.js';
import type { Arrival } from './transport.js';
import { cutOff, isHeaders, undecodable } from './undecodable.js';

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

/** @throws BUSBAR_DECODING */
export function decodeFirstVersion(topic: string, bytes: Buffer, started: number): Arrival {
  if (bytes.length < HEAD_BYTES) throw cutOff();
  const end = HEAD_BYTES + bytes.readUInt32LE(1);
  if (end > bytes.length) throw cutOff();
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
