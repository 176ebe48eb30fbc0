// Payloads as bytes and back: binary as it is, plain data as JSON, everything else as v8 serialises it.
//
// Every encoding stands alone, because letters are decoded by other processes and lanes move between threads.
import { deserialize, serialize } from 'node:v8';
import { BusbarError, show } from './errors.js';
import { isPlainJson } from './json-exact.js';
import { withoutUncloneable } from './lossy.js';
import { Codec, type CodecId } from './message.js';

/** An encoded payload. `bytes` alias the caller's memory or a scratch buffer: valid until the next encoding here. */
export interface Encoded {
  readonly codec: CodecId;
  readonly bytes: Uint8Array;
  /** True when detail was lost because the payload cannot be encoded as it is. */
  readonly lossy: boolean;
}

type ViewConstructor = new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ArrayBufferView;

const VIEWS: readonly (readonly [CodecId, ViewConstructor, bytesPerElement: number])[] = [
  [Codec.UINT8, Uint8Array, 1],
  [Codec.INT8, Int8Array, 1],
  [Codec.UINT8_CLAMPED, Uint8ClampedArray, 1],
  [Codec.INT16, Int16Array, 2],
  [Codec.UINT16, Uint16Array, 2],
  [Codec.INT32, Int32Array, 4],
  [Codec.UINT32, Uint32Array, 4],
  [Codec.FLOAT32, Float32Array, 4],
  [Codec.FLOAT64, Float64Array, 8],
  [Codec.BIGINT64, BigInt64Array, 8],
  [Codec.BIGUINT64, BigUint64Array, 8],
  [Codec.DATA_VIEW, DataView, 1],
];
const VIEW_OF_CODEC = new Map(VIEWS.map(([codec, view, size]) => [codec, { view, size }]));
const CODEC_OF_VIEW = new Map<unknown, CodecId>([
  [Buffer, Codec.BUFFER],
  ...VIEWS.map(([codec, view]) => [view, codec] as const),
]);

const CODEC_NAMES: ReadonlyMap<CodecId, string> = new Map(
  Object.entries(Codec).map(([name, codec]) => [codec, name.toLowerCase()]),
);

/** The codec's name in files. */
export function codecName(codec: CodecId): string {
  return CODEC_NAMES.get(codec) ?? `codec ${codec}`;
}

/** The codec of that name, if there is one. */
export function codecFromName(name: unknown): CodecId | undefined {
  for (const [codec, itsName] of CODEC_NAMES) if (itsName === name) return codec;
  return undefined;
}

let scratch = Buffer.allocUnsafeSlow(64 * 1024);
/** A scratch buffer above this size is not kept for the next payload. */
const LARGEST_KEPT_SCRATCH = 8 * 1024 * 1024;

/**
 * Encodes with the fidelity of structured clone.
 *
 * @throws BUSBAR_ENCODING with the cause
 */
export function encodePayload(value: unknown): Encoded {
  if (ArrayBuffer.isView(value)) return encodeView(value);
  if (value instanceof ArrayBuffer) return { codec: Codec.ARRAY_BUFFER, bytes: new Uint8Array(value), lossy: false };
  try {
    if (isPlainJson(value)) return { codec: Codec.JSON, bytes: jsonBytes(JSON.stringify(value)), lossy: false };
    return { codec: Codec.V8, bytes: serialize(value), lossy: false };
  } catch (cause) {
    throw new BusbarError('BUSBAR_ENCODING', `the payload cannot be encoded: ${messageOf(cause)}`, { cause });
  }
}

/** Encodes what can be: functions, symbols and the like are left out, what throws is replaced by a note. Never throws. */
export function encodeLossy(value: unknown): Encoded {
  try {
    return { codec: Codec.V8, bytes: serialize(withoutUncloneable(value)), lossy: true };
  } catch (cause) {
    return { codec: Codec.JSON, bytes: jsonBytes(JSON.stringify(`[not encodable: ${messageOf(cause)}]`)), lossy: true };
  }
}

/**
 * Decodes. What it returns owns its memory, unless `mode` is `view` and the bytes are raw: then it is a view on them.
 *
 * @param bytes may lie in shared memory, at a multiple of 8
 * @throws BUSBAR_DECODING
 */
export function decodePayload(codec: CodecId, bytes: Uint8Array, mode: 'copy' | 'view' = 'copy'): unknown {
  try {
    switch (codec) {
      case Codec.JSON:
        return JSON.parse(asBuffer(bytes).toString('utf8'));
      case Codec.V8:
        // v8 may hand out views on its input.
        return deserialize(Buffer.from(bytes));
      case Codec.BUFFER:
        return mode === 'view' ? asBuffer(bytes) : Buffer.from(bytes);
      case Codec.ARRAY_BUFFER:
        return copyOf(bytes).buffer;
      default:
        return decodeView(codec, mode === 'view' ? bytes : copyOf(bytes));
    }
  } catch (cause) {
    throw new BusbarError(
      'BUSBAR_DECODING',
      `bytes of codec ${codecName(codec)} cannot be decoded: ${messageOf(cause)}`,
      { cause },
    );
  }
}

function encodeView(value: ArrayBufferView): Encoded {
  const codec = CODEC_OF_VIEW.get(value.constructor) ?? codecOfSubclass(value);
  return { codec, bytes: new Uint8Array(value.buffer, value.byteOffset, value.byteLength), lossy: false };
}

function codecOfSubclass(value: ArrayBufferView): CodecId {
  for (const [codec, view] of VIEWS) if (value instanceof view) return codec;
  return Codec.UINT8;
}

function decodeView(codec: CodecId, bytes: Uint8Array): ArrayBufferView {
  const found = VIEW_OF_CODEC.get(codec);
  if (found === undefined) throw new RangeError(`unknown codec ${show(codec)}`);
  return new found.view(bytes.buffer, bytes.byteOffset, bytes.byteLength / found.size);
}

function jsonBytes(text: string): Buffer {
  const most = text.length * 3;
  if (most <= scratch.length) return scratch.subarray(0, scratch.write(text, 0, 'utf8'));
  if (most > LARGEST_KEPT_SCRATCH) return Buffer.from(text);
  scratch = Buffer.allocUnsafeSlow(most * 2);
  return jsonBytes(text);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : show(thrown);
}
