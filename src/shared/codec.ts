// Payloads as bytes and back: binary as it is, trees of plain data compactly, everything else as V8 serialises it.
//
// Every encoding stands alone, because letters are decoded by other processes and lanes move between threads.
import { types } from 'node:util';
import { CompactReader } from './compact-reader.js';
import { CompactWriter } from './compact-writer.js';
import { pathOfUncloneable } from './culprit.js';
import { EncodedPayload, encodeWith, packEncoded, unpackEncoded } from './encoded-payload.js';
import { BusbarError } from './errors.js';
import type { CodecChoice } from './handler.js';
import { isPlainJson } from './json-exact.js';
import { reasonOf, withoutUncloneable } from './lossy.js';
import { Codec, type CodecId } from './message.js';
import { readGeneral, writeGeneral } from './v8-format.js';
import { asBuffer, bytesOfView, codecOfView, copyOf, viewOn, viewOnCopy } from './views.js';

/** An encoded payload. `bytes` alias the caller's memory or a scratch buffer: valid until the next encoding here. */
export interface Encoded {
  readonly codec: CodecId;
  readonly bytes: Uint8Array;
  /** True when detail was lost because the payload cannot be encoded as it is. */
  readonly lossy: boolean;
}

const CODEC_NAMES: ReadonlyMap<CodecId, string> = new Map(
  Object.entries(Codec).map(([name, codec]) => [codec, name.toLowerCase()]),
);

/** The codec's name in files. */
export function codecName(codec: CodecId): string {
  return CODEC_NAMES.get(codec) ?? `codec ${codec}`;
}

/** True for the number of a codec. */
export function isCodec(number: number): number is CodecId {
  return CODEC_NAMES.has(number as CodecId);
}

/** The codec of that name, if there is one. */
export function codecFromName(name: unknown): CodecId | undefined {
  for (const [codec, itsName] of CODEC_NAMES) if (itsName === name) return codec;
  return undefined;
}

const writer = new CompactWriter();
const reader = new CompactReader();

/**
 * Encodes with the fidelity of structured clone. Two views on one buffer come back with a buffer each.
 *
 * @throws BUSBAR_ENCODING with the cause, and the path of what cannot be cloned, as `payload.a[3].fn`
 */
export function encodePayload(value: unknown): Encoded {
  try {
    const raw = encodeRaw(value);
    if (raw !== undefined) return raw;
    const compact = writer.write(value);
    if (compact !== undefined) return { codec: Codec.COMPACT, bytes: compact, lossy: false };
    if (value instanceof EncodedPayload) return { codec: Codec.OWN, bytes: packEncoded(value), lossy: false };
    return { codec: Codec.V8, bytes: writeGeneral(value), lossy: false };
  } catch (cause) {
    const path = pathOfUncloneable(value);
    const subject = path ?? 'the payload';
    throw new BusbarError('BUSBAR_ENCODING', `${subject} cannot be encoded: ${reasonOf(cause)}`, { cause });
  }
}

/**
 * Encodes as it was chosen. What is {@link EncodedPayload} already stays so.
 *
 * @throws BUSBAR_ENCODING with the cause
 */
export function encodeAs(codec: CodecChoice, value: unknown): Encoded {
  if (codec === 'clone' || value instanceof EncodedPayload) return encodePayload(value);
  try {
    if (codec !== 'json') return { codec: Codec.OWN, bytes: packEncoded(encodeWith(codec, value)), lossy: false };
    return encodeRaw(value) ?? { codec: Codec.JSON, bytes: jsonOf(value), lossy: false };
  } catch (cause) {
    const name = codec === 'json' ? codec : codec.name;
    const message = `the payload cannot be encoded by codec ${name}: ${reasonOf(cause)}`;
    throw new BusbarError('BUSBAR_ENCODING', message, { cause });
  }
}

/** Encodes what can be: functions, symbols and the like are left out, what throws is replaced by a note. Never throws. */
export function encodeLossy(value: unknown): Encoded {
  try {
    return { codec: Codec.V8, bytes: writeGeneral(withoutUncloneable(value)), lossy: true };
  } catch (cause) {
    const note = JSON.stringify(`[not encodable: ${reasonOf(cause)}]`);
    return { codec: Codec.JSON, bytes: Buffer.from(note), lossy: true };
  }
}

/**
 * Decodes. What it returns owns its memory, unless `mode` is `view` and the bytes are raw: then it is a view on them.
 * A string of a payload may keep the text of the whole payload alive.
 *
 * @param bytes may lie in shared memory, at a multiple of 8
 * @throws BUSBAR_DECODING
 */
export function decodePayload(codec: CodecId, bytes: Uint8Array, mode: 'copy' | 'view' = 'copy'): unknown {
  const buffer = asBuffer(bytes);
  return decodeRange(codec, buffer, null, 0, buffer.length, mode);
}

/**
 * As {@link decodePayload}, for a part of larger memory: most payloads then need no view of their own, which costs 90 ns.
 *
 * @param words of the same memory, where there are; `start` is a multiple of 4 then
 */
export function decodeRange(
  codec: CodecId,
  memory: Buffer,
  words: Int32Array | null,
  start: number,
  end: number,
  mode: 'copy' | 'view' = 'copy',
): unknown {
  try {
    if (codec === Codec.COMPACT) return reader.read(memory, start, end);
    if (mode === 'copy' && codec >= Codec.BUFFER && codec !== Codec.ARRAY_BUFFER) {
      return viewOnCopy(codec, memory, words, start, end);
    }
    const bytes = start === 0 && end === memory.length ? memory : memory.subarray(start, end);
    switch (codec) {
      case Codec.JSON:
        return JSON.parse(asBuffer(bytes).toString('utf8'));
      case Codec.V8:
        return readGeneral(bytes);
      case Codec.ARRAY_BUFFER:
        return copyOf(bytes).buffer;
      case Codec.OWN:
        return unpackEncoded(bytes);
      default:
        return viewOn(codec, bytes);
    }
  } catch (cause) {
    const message = `bytes of codec ${codecName(codec)} cannot be decoded: ${reasonOf(cause)}`;
    throw new BusbarError('BUSBAR_DECODING', message, { cause });
  }
}

/** The payload, when JSON says it exactly: for files that people look into. Undefined otherwise, and for damage. */
export function plainJsonOf(codec: CodecId, bytes: Uint8Array): unknown {
  if (codec !== Codec.COMPACT && codec !== Codec.JSON) return undefined;
  try {
    const value = decodePayload(codec, bytes);
    return isPlainJson(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function jsonOf(value: unknown): Uint8Array {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError('JSON has no word for it');
  return Buffer.from(text);
}

function encodeRaw(value: unknown): Encoded | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (ArrayBuffer.isView(value)) {
    // A view on a view costs 90 ns. An empty one may be detached, which only making one shows.
    const codec = codecOfView(value);
    if ((codec === Codec.BUFFER || codec === Codec.UINT8) && (value as Uint8Array).length > 0) {
      return { codec, bytes: value as Uint8Array, lossy: false };
    }
    return codec === undefined ? undefined : { codec, bytes: bytesOfView(value), lossy: false };
  }
  if (!types.isArrayBuffer(value)) return undefined;
  return { codec: Codec.ARRAY_BUFFER, bytes: new Uint8Array(value), lossy: false };
}
