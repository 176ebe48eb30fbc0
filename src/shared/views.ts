// Binary values as raw bytes and back: which codec stands for which view, whatever realm it is from.
// Imported, because the global is an accessor: 25 ns a look.
import { Buffer } from 'node:buffer';
import { Codec, type CodecId } from './message.js';

type ViewConstructor = {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ArrayBufferView;
  /** Of typed arrays: a copy of the elements. */
  new (elements: ArrayBufferView): ArrayBufferView;
};

interface ViewKind {
  readonly codec: CodecId;
  readonly view: ViewConstructor;
  readonly bytesPerElement: number;
}

const KINDS: readonly ViewKind[] = [
  { codec: Codec.UINT8, view: Uint8Array, bytesPerElement: 1 },
  { codec: Codec.INT8, view: Int8Array, bytesPerElement: 1 },
  { codec: Codec.UINT8_CLAMPED, view: Uint8ClampedArray, bytesPerElement: 1 },
  { codec: Codec.INT16, view: Int16Array, bytesPerElement: 2 },
  { codec: Codec.UINT16, view: Uint16Array, bytesPerElement: 2 },
  { codec: Codec.INT32, view: Int32Array, bytesPerElement: 4 },
  { codec: Codec.UINT32, view: Uint32Array, bytesPerElement: 4 },
  { codec: Codec.FLOAT32, view: Float32Array, bytesPerElement: 4 },
  { codec: Codec.FLOAT64, view: Float64Array, bytesPerElement: 8 },
  { codec: Codec.BIGINT64, view: BigInt64Array, bytesPerElement: 8 },
  { codec: Codec.BIGUINT64, view: BigUint64Array, bytesPerElement: 8 },
  { codec: Codec.DATA_VIEW, view: DataView, bytesPerElement: 1 },
];
const KIND_OF_CODEC = new Map(KINDS.map((kind) => [kind.codec, kind]));
const CODEC_OF_TAG = new Map(KINDS.map(({ codec, view }) => [view.name, codec]));

/** Reads the internal slot: neither a subclass, nor another realm, nor an own property can mislead it. */
const tagOfTypedArray = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)
  ?.get as (this: ArrayBufferView) => string | undefined;

/** The codec of a view, or undefined for a kind of view that has none. */
export function codecOfView(value: ArrayBufferView): CodecId | undefined {
  if (Buffer.isBuffer(value)) return Codec.BUFFER;
  const tag = tagOfTypedArray.call(value);
  // Most are, and a look at a Map costs 20 ns.
  if (tag === 'Uint8Array') return Codec.UINT8;
  return CODEC_OF_TAG.get(tag ?? 'DataView');
}

/** The memory of a view, not a copy. */
export function bytesOfView(value: ArrayBufferView): Uint8Array {
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

/**
 * A view on the given memory, or on a copy where the memory is not aligned for it.
 *
 * @throws RangeError for a codec that is no view's, or bytes that are no whole number of elements
 */
export function viewOn(codec: CodecId, bytes: Uint8Array): ArrayBufferView {
  if (codec === Codec.BUFFER) return asBuffer(bytes);
  const kind = KIND_OF_CODEC.get(codec);
  if (kind === undefined) throw new RangeError(`codec ${codec} is not known`);
  const { view, bytesPerElement } = kind;
  if (bytes.byteLength % bytesPerElement !== 0) {
    throw new RangeError(`${bytes.byteLength} bytes are no whole number of elements of ${bytesPerElement}`);
  }
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % bytesPerElement === 0 ? bytes : copyOf(bytes);
  return new view(buffer, byteOffset, byteLength / bytesPerElement);
}

/**
 * A view on a copy of a range of the memory, which is not shared; that of a Buffer may be part of Node's pool.
 *
 * @param words of the same memory, where there are; `start` is a multiple of 4 then
 * @throws as {@link viewOn}
 */
export function viewOnCopy(
  codec: CodecId,
  memory: Buffer,
  words: Int32Array | null,
  start: number,
  end: number,
): ArrayBufferView {
  if (codec === Codec.BUFFER) return copyRange(Buffer.allocUnsafe(end - start), memory, words, start, end);
  if (codec === Codec.UINT8) {
    if (words !== null && end - start > MOST_TO_FILL) return slice.call(plainOf(memory), start, end);
    return copyRange(new Uint8Array(end - start), memory, words, start, end);
  }
  const view = viewOn(codec, memory.subarray(start, end));
  if (view instanceof DataView) return viewOn(codec, copyOf(bytesOfView(view)));
  // Not a view on a copied buffer: V8 keeps a small typed array's elements in its heap until its buffer is asked for.
  const { view: Elements } = KIND_OF_CODEC.get(codec) as ViewKind;
  return new Elements(view);
}

/** A typed array of more bytes is made with its content sooner than it is filled. */
const MOST_TO_FILL = 32;
const { slice } = Uint8Array.prototype;
const plainViews = new WeakMap<Buffer, Uint8Array>();
/** The last one, which is wanted again and again: a look at a WeakMap costs 20 ns. */
let last: { readonly memory: Buffer | undefined; readonly plain: Uint8Array } = {
  memory: undefined,
  plain: new Uint8Array(0),
};

/** The same memory, such that a slice of it is no Buffer. */
function plainOf(memory: Buffer): Uint8Array {
  if (last.memory === memory) return last.plain;
  const plain = plainViews.get(memory) ?? new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);
  plainViews.set(memory, plain);
  last = { memory, plain };
  return plain;
}

/** So many bytes are copied one by one sooner than a view is made to copy from, and by words sooner than by a call. */
const FEW_BYTES = 128;
const FEW_WORDS_BYTES = 32;

/** Shared memory as bytes and as words. */
interface Memory {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

/** To look it up on a Buffer costs as much as the copy. */
const setBytes = Uint8Array.prototype.set;

/** The order of a word's bytes is the machine's. */
export const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/**
 * Copies all of `source` into the memory, from byte `offset` on, a multiple of 4. Few bytes as words: a processor stores them one
 * by one, in order, and has to fetch each cache line from the other core first.
 */
export function copyInto({ bytes, words }: Memory, offset: number, source: Uint8Array): void {
  const { length } = source;
  if (length > FEW_WORDS_BYTES || !IS_LITTLE_ENDIAN) {
    setBytes.call(bytes, source, offset);
    return;
  }
  let at = 0;
  for (let word = offset >> 2; at + 4 <= length; at += 4, word++) {
    const low = (source[at] as number) | ((source[at + 1] as number) << 8);
    words[word] = low | ((source[at + 2] as number) << 16) | ((source[at + 3] as number) << 24);
  }
  for (; at < length; at++) bytes[offset + at] = source[at] as number;
}

function copyRange<T extends Uint8Array>(
  target: T,
  memory: Buffer,
  words: Int32Array | null,
  start: number,
  end: number,
): T {
  const length = end - start;
  if (length > FEW_BYTES) {
    target.set(memory.subarray(start, end));
    return target;
  }
  let at = 0;
  if (words !== null && IS_LITTLE_ENDIAN) {
    for (let index = start >> 2; at + 4 <= length; at += 4, index++) {
      const word = words[index] as number;
      target[at] = word;
      target[at + 1] = word >> 8;
      target[at + 2] = word >> 16;
      target[at + 3] = word >> 24;
    }
  }
  for (; at < length; at++) target[at] = memory[start + at] as number;
  return target;
}

/** The same memory as a Buffer. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** In memory of its own: neither shared nor part of a pool. */
export function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy;
}
