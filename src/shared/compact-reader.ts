// Reads the compact format, from any bytes: damaged ones end in a RangeError, never in more memory than they are worth.
import { COMPACT_VERSION, HEADER_BYTES, MOST_LEVELS, Tag, TextKind } from './compact-format.js';
import { type Shape, shapeIn } from './shapes.js';

const float = new Float64Array(1);
const floatBytes = new Uint8Array(float.buffer);

/** Not to clear the list each time saves a tenth of a microsecond; no more than these are held. */
const MOST_SHAPES_LEFT = 16;

/** One for each thread; what it returns shares nothing with the bytes. */
export class CompactReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Where the values end. */
  #end = 0;
  #text = '';
  #textAt = 0;
  /** Those of the record that is read; what lies beyond them is left from earlier ones. */
  readonly #shapes: Shape[] = [];
  #shapeCount = 0;

  /** @throws RangeError when the bytes are not one whole record of this version */
  read(memory: Buffer, start = 0, end = memory.length): unknown {
    try {
      this.#begin(memory, start, end);
      const value = this.#value(0);
      if (this.#at !== this.#end || this.#textAt !== this.#text.length) throw damaged();
      return value;
    } finally {
      this.#bytes = floatBytes;
      this.#text = '';
      if (this.#shapeCount > MOST_SHAPES_LEFT) this.#shapes.length = 0;
      this.#shapeCount = 0;
    }
  }

  #begin(memory: Buffer, start: number, recordEnd: number): void {
    if (recordEnd - start < HEADER_BYTES) throw damaged();
    if (memory[start] !== COMPACT_VERSION) throw new RangeError(`version ${memory[start]} of the format is not known`);
    const kind = memory[start + 1];
    const textAt = start + memory.readUInt32LE(start + 4);
    if (textAt < start + HEADER_BYTES || textAt > recordEnd) throw damaged();
    if (kind !== TextKind.LATIN1 && kind !== TextKind.UTF16) throw damaged();
    if (kind === TextKind.UTF16 && (recordEnd - textAt) % 2 !== 0) throw damaged();
    this.#bytes = memory;
    this.#at = start + HEADER_BYTES;
    this.#end = textAt;
    if (textAt < recordEnd) {
      this.#text = memory.toString(kind === TextKind.LATIN1 ? 'latin1' : 'utf16le', textAt, recordEnd);
    }
    this.#textAt = 0;
  }

  #value(level: number): unknown {
    const tag = this.#byte();
    if (tag >= Tag.SHORT_STRING) return this.#string(tag - Tag.SHORT_STRING);
    switch (tag) {
      case Tag.NULL:
        return null;
      case Tag.UNDEFINED:
        return undefined;
      case Tag.FALSE:
        return false;
      case Tag.TRUE:
        return true;
      case Tag.INT8:
        return (this.#byte() << 24) >> 24;
      case Tag.INT32:
        return this.#int32();
      case Tag.FLOAT64:
        return this.#float64();
      case Tag.STRING:
        return this.#string(this.#count());
      case Tag.DATE:
        return new Date(this.#float64());
      default:
        return this.#container(tag, level + 1);
    }
  }

  #container(tag: number, level: number): unknown {
    if (level > MOST_LEVELS) throw damaged();
    switch (tag) {
      case Tag.ARRAY:
        return this.#array(level);
      case Tag.NEW_SHAPE: {
        const from = this.#textAt;
        this.#skip(this.#count());
        const shape = shapeIn(this.#text, from, this.#textAt);
        this.#shapes[this.#shapeCount++] = shape;
        return this.#object(shape, level);
      }
      case Tag.KNOWN_SHAPE: {
        const place = this.#count();
        if (place >= this.#shapeCount) throw damaged();
        return this.#object(this.#shapes[place] as Shape, level);
      }
      case Tag.DICTIONARY:
        return this.#dictionary(level);
      default:
        throw damaged();
    }
  }

  #array(level: number): unknown[] {
    const length = this.#countOfParts();
    const array: unknown[] = [];
    for (let index = 0; index < length; index++) array.push(this.#value(level));
    return array;
  }

  #object(shape: Shape, level: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    const { keys } = shape;
    if (shape.isUnsafe) {
      for (const key of keys) define(object, key, this.#value(level));
      return object;
    }
    for (let index = 0; index < keys.length; index++) object[keys[index] as string] = this.#value(level);
    return object;
  }

  #dictionary(level: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (let left = this.#countOfParts(); left > 0; left--) {
      const key = this.#string(this.#count());
      const value = this.#value(level);
      if (key === '__proto__') define(object, key, value);
      else object[key] = value;
    }
    return object;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw damaged();
    return this.#bytes[this.#at++] as number;
  }

  #int32(): number {
    const at = this.#take(4);
    const bytes = this.#bytes;
    return (
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    );
  }

  #float64(): number {
    const at = this.#take(8);
    for (let index = 0; index < 8; index++) floatBytes[index] = this.#bytes[at + index] as number;
    return float[0] as number;
  }

  #string(length: number): string {
    const from = this.#textAt;
    this.#skip(length);
    return this.#text.substring(from, this.#textAt);
  }

  /** Goes on behind the next so many characters of the text. */
  #skip(length: number): void {
    this.#textAt += length;
    if (this.#textAt > this.#text.length) throw damaged();
  }

  /** At most 2^31 - 1. */
  #count(): number {
    let count = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      count |= (byte & 127) << shift;
      if (byte < 128) {
        if (count < 0) throw damaged();
        return count;
      }
    }
    throw damaged();
  }

  /** A count of things that take a byte each, or more: a larger one than the bytes left is damage. */
  #countOfParts(): number {
    const count = this.#count();
    if (count > this.#end - this.#at) throw damaged();
    return count;
  }

  #take(size: number): number {
    const at = this.#at;
    if (at + size > this.#end) throw damaged();
    this.#at = at + size;
    return at;
  }
}

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function damaged(): RangeError {
  return new RangeError('the bytes are damaged');
}
