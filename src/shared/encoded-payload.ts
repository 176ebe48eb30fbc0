// A payload in a codec of the user's, with the codec's name before it:
//
//   byte 0   length of the name
//   byte 1   the name, then the payload as the codec encoded it

import { BusbarError, show } from './errors.js';
import type { PayloadCodec } from './handler.js';
import { reasonOf } from './lossy.js';

/**
 * What a dead letter has for a payload that only a codec of the user's can read: `codec.decode(bytes)` gives the payload.
 * Replayed, edited or published as it is, it goes on unchanged.
 */
export class EncodedPayload {
  /** The name of its codec. */
  readonly codec: string;
  readonly bytes: Uint8Array;

  constructor(codec: string, bytes: Uint8Array) {
    this.codec = codec;
    this.bytes = bytes;
  }
}

/** @throws what the codec throws, or a TypeError when it gives no bytes */
export function encodeWith(codec: PayloadCodec, payload: unknown): EncodedPayload {
  const bytes: unknown = codec.encode(payload);
  if (bytes instanceof Uint8Array) return new EncodedPayload(codec.name, bytes);
  throw new TypeError(`codec ${codec.name} gave ${show(bytes)} for a Uint8Array`);
}

/** @throws BUSBAR_DECODING */
export function decodeWith(codec: PayloadCodec | undefined, { codec: name, bytes }: EncodedPayload): unknown {
  if (codec?.name !== name) {
    const found = codec === undefined ? 'none' : `${codec.name}`;
    throw new BusbarError('BUSBAR_DECODING', `the payload is in codec ${name}, and the handler has ${found}`);
  }
  try {
    return codec.decode(bytes);
  } catch (cause) {
    throw new BusbarError('BUSBAR_DECODING', `codec ${name} cannot decode: ${reasonOf(cause)}`, { cause });
  }
}

/** With the name before it. */
export function packEncoded({ codec, bytes }: EncodedPayload): Uint8Array {
  const name = Buffer.from(codec);
  return Buffer.concat([Buffer.of(name.length), name, bytes]);
}

/** Owns its bytes. @throws RangeError */
export function unpackEncoded(packed: Uint8Array): EncodedPayload {
  const length = packed[0];
  if (length === undefined || length === 0 || length >= packed.length) throw new RangeError('no name of a codec');
  const name = Buffer.from(packed.subarray(1, 1 + length)).toString('utf8');
  return new EncodedPayload(name, new Uint8Array(packed.subarray(1 + length)));
}
