// Writes trees of plain data in the compact format, in one walk.
import { types } from 'node:util';
import { COMPACT_VERSION, HEADER_BYTES, LONGEST_SHORT_STRING, MOST_LEVELS, Tag, TextKind } from './compact-format.js';
import { type ShapeNode, ShapeTree } from './shapes.js';

/** An object of more keys than this is a dictionary rather than a shape that will come again. */
const MOST_SHAPE_KEYS = 64;
/** Up to so many objects are compared one by one to find a second meeting; a Set costs more. */
const MOST_COMPARED = 24;
const SCRATCH_BYTES = 64 * 1024;
/** A scratch buffer above this size is not kept for the next record. */
const LARGEST_KEPT_SCRATCH = 8 * 1024 * 1024;
/** Records shorter than this are short. */
const MOST_SHORT = 256;
/** The most that one value takes before its parts: a tag and a float, or a tag and a length. */
const LARGEST_STEP = 16;

/**
 * A writer and its scratch buffer; one for each thread.
 *
 * `write` gives undefined for what the format does not hold: shared references, cycles, holes, bigints, instances, deep
 * nesting. What a getter throws comes out as thrown.
 */
export class CompactWriter {
  #bytes = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
  #view = viewOf(this.#bytes);
  /** By length: views on the beginning of the scratch buffer. */
  #short: (Uint8Array | undefined)[] = new Array(MOST_SHORT);
  #at = 0;
  #text = '';
  #record = 0;
  #shapeCount = 0;
  #isBusy = false;
  readonly #shapes = new ShapeTree();
  /** A fixed array and a count: an array cut to length 0 would allocate again for each record. */
  readonly #seen: (object | null)[] = new Array(MOST_COMPARED).fill(null);
  #seenCount = 0;
  readonly #seenMore = new Set<object>();

  /** The record, in memory that the next call writes again. */
  write(value: unknown): Uint8Array | undefined {
    // A getter may come back here while the record of its own object is being written.
    if (this.#isBusy || hasInheritedKeys()) return undefined;
    this.#isBusy = true;
    try {
      this.#begin();
      return this.#value(value, 0) ? this.#end() : undefined;
    } finally {
      this.#isBusy = false;
      this.#forget();
    }
  }

  #begin(): void {
    this.#at = HEADER_BYTES;
    this.#record++;
    this.#shapeCount = 0;
    this.#shapes.trim();
  }

  /** Appends the text, then the header can be told. */
  #end(): Uint8Array {
    const text = this.#text;
    const offset = this.#at;
    if (text === '') return this.#headed(TextKind.LATIN1, offset, offset);
    this.#reserve(text.length < SCRATCH_BYTES ? text.length * 3 : Math.max(Buffer.byteLength(text), text.length * 2));
    const bytes = this.#bytes;
    let kind: number = TextKind.LATIN1;
    let length = bytes.write(text, offset, 'utf8');
    if (length !== text.length) {
      // Not ASCII; asked only now, because reading all characters in JavaScript costs more than writing them.
      kind = isLatin1(text) ? TextKind.LATIN1 : TextKind.UTF16;
      length = bytes.write(text, offset, kind === TextKind.LATIN1 ? 'latin1' : 'utf16le');
    }
    return this.#headed(kind, offset, offset + length);
  }

  #headed(kind: number, textAt: number, end: number): Uint8Array {
    this.#view.setUint32(0, COMPACT_VERSION | (kind << 8), true);
    this.#view.setUint32(4, textAt, true);
    return this.#written(end);
  }

  /** The record as a view; short ones are made once, for a view costs as much as a short record. */
  #written(length: number): Uint8Array {
    if (length >= MOST_SHORT) return this.#bytes.subarray(0, length);
    this.#short[length] ??= this.#bytes.subarray(0, length);
    return this.#short[length];
  }

  /** Holds on to nothing of the caller's. */
  #forget(): void {
    this.#text = '';
    while (this.#seenCount > 0) this.#seen[--this.#seenCount] = null;
    if (this.#seenMore.size > 0) this.#seenMore.clear();
    if (this.#bytes.length > LARGEST_KEPT_SCRATCH) this.#use(Buffer.allocUnsafeSlow(SCRATCH_BYTES));
  }

  /** False: not in this format. */
  #value(value: unknown, level: number): boolean {
    if (this.#at + LARGEST_STEP > this.#bytes.length) this.#reserve(LARGEST_STEP);
    switch (typeof value) {
      case 'string':
        return this.#string(value);
      case 'number':
        return this.#number(value);
      case 'boolean':
        return this.#tag(value ? Tag.TRUE : Tag.FALSE);
      case 'undefined':
        return this.#tag(Tag.UNDEFINED);
      case 'object':
        return value === null ? this.#tag(Tag.NULL) : this.#object(value, level);
      default:
        return false;
    }
  }

  #tag(tag: number): true {
    this.#bytes[this.#at++] = tag;
    return true;
  }

  #string(value: string): true {
    this.#text += value;
    if (value.length <= LONGEST_SHORT_STRING) return this.#tag(Tag.SHORT_STRING + value.length);
    this.#tag(Tag.STRING);
    return this.#count(value.length);
  }

  #number(value: number): true {
    const small = value | 0;
    const at = this.#at;
    if (small !== value || (value === 0 && 1 / value < 0)) {
      this.#bytes[at] = Tag.FLOAT64;
      this.#view.setFloat64(at + 1, value, true);
      this.#at = at + 9;
    } else if (small >= -128 && small <= 127) {
      this.#bytes[at] = Tag.INT8;
      this.#bytes[at + 1] = small;
      this.#at = at + 2;
    } else {
      this.#bytes[at] = Tag.INT32;
      this.#view.setInt32(at + 1, small, true);
      this.#at = at + 5;
    }
    return true;
  }

  #count(count: number): true {
    let rest = count;
    while (rest > 127) {
      this.#bytes[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
    return true;
  }

  #object(value: object, level: number): boolean {
    if (level >= MOST_LEVELS || this.#wasSeen(value)) return false;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      return this.#fields(value as Record<string, unknown>, level + 1);
    }
    if (prototype === Array.prototype && Array.isArray(value)) return this.#array(value, level + 1);
    if (prototype !== Date.prototype || !types.isDate(value)) return false;
    this.#bytes[this.#at] = Tag.DATE;
    this.#view.setFloat64(this.#at + 1, Date.prototype.getTime.call(value), true);
    this.#at += 9;
    return true;
  }

  #array(value: readonly unknown[], level: number): boolean {
    const length = value.length;
    // Further keys than the indices, or fewer: the general way keeps both.
    if (Object.keys(value).length !== length) return false;
    this.#tag(Tag.ARRAY);
    this.#count(length);
    for (let index = 0; index < length; index++) {
      const item = value[index];
      if (item === undefined && !Object.hasOwn(value, index)) return false;
      if (!this.#value(item, level)) return false;
    }
    return true;
  }

  #fields(value: Record<string, unknown>, level: number): boolean {
    let node: ShapeNode = this.#shapes.root;
    let count = 0;
    for (const key in value) {
      if (++count > MOST_SHAPE_KEYS) return this.#dictionary(value, level);
      node = this.#shapes.step(node, key);
    }
    this.#shape(node);
    for (const key in value) {
      // A getter that takes keys away would leave the shape and the values at odds.
      if (!this.#value(value[key], level)) return false;
      count--;
    }
    return count === 0;
  }

  #shape(node: ShapeNode): void {
    if (node.record === this.#record) {
      this.#tag(Tag.KNOWN_SHAPE);
      this.#count(node.index);
      return;
    }
    node.record = this.#record;
    node.index = this.#shapeCount++;
    this.#tag(Tag.NEW_SHAPE);
    this.#count(node.text.length);
    this.#text += node.text;
  }

  #dictionary(value: Record<string, unknown>, level: number): boolean {
    const keys = Object.keys(value);
    this.#tag(Tag.DICTIONARY);
    this.#count(keys.length);
    for (const key of keys) {
      if (this.#at + LARGEST_STEP > this.#bytes.length) this.#reserve(LARGEST_STEP);
      this.#count(key.length);
      this.#text += key;
      if (!this.#value(value[key], level)) return false;
    }
    return true;
  }

  /** True at the second meeting: a shared reference or a cycle. */
  #wasSeen(value: object): boolean {
    const seen = this.#seen;
    const count = this.#seenCount;
    for (let index = 0; index < count; index++) if (seen[index] === value) return true;
    if (count < MOST_COMPARED) {
      seen[count] = value;
      this.#seenCount = count + 1;
      return false;
    }
    const before = this.#seenMore.size;
    return this.#seenMore.add(value).size === before;
  }

  #reserve(more: number): void {
    const needed = this.#at + more;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#use(larger);
  }

  #use(bytes: Buffer<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#short = new Array(MOST_SHORT);
  }
}

function viewOf(bytes: Buffer<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** True when each character takes one byte. */
export function isLatin1(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Latin-1 begins with them
  return !/[^\u0000-\u00ff]/.test(text);
}

/** Somebody gave Object.prototype enumerable keys: `for in` would find them in every object. */
function hasInheritedKeys(): boolean {
  for (const _key in Object.prototype) return true;
  return false;
}
