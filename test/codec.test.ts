// Payloads as bytes and back: with the fidelity of structured clone, from whatever memory.
import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codecFromName, codecName, decodePayload, encodePayload, plainJsonOf } from '../src/shared/codec.js';
import { Codec } from '../src/shared/message.js';
import { anything, refusalOf, roundTrip } from './payloads.js';

/** Types, keys and their order, holes, cycles, NaN and -0, as text: the test has classes of its own realm. */
function traits(value: unknown): string {
  const all = { depth: Number.POSITIVE_INFINITY, maxArrayLength: null, maxStringLength: null };
  return inspect(value, { ...all, compact: false });
}

/** Which objects are met again, and where: numbers in the order of the first meeting. */
function topology(value: unknown, numbers: Map<object, number> = new Map()): unknown {
  if (typeof value !== 'object' || value === null) return '';
  const known = numbers.get(value);
  if (known !== undefined) return known;
  numbers.set(value, numbers.size);
  if (ArrayBuffer.isView(value)) return 'view';
  const parts = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value);
  return parts.map((part) => topology(part, numbers));
}

describe('a payload', () => {
  it('comes back as structured clone would give it', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(traits(roundTrip(value))).toEqual(traits(structuredClone(value)));
      }),
      { numRuns: 60 },
    );
  });

  it('keeps who is whose part, whatever is shared', () => {
    const picks = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 8 });
    fc.assert(
      fc.property(fc.array(anything, { minLength: 1, maxLength: 5 }), picks, fc.boolean(), (parts, pairs, isCyclic) => {
        const value: unknown[] = pairs.map(([a, b]) => ({ a: parts[a % parts.length], b: [parts[b % parts.length]] }));
        if (isCyclic) value.push(value);
        const actual = roundTrip(value);
        expect(topology(actual)).toEqual(topology(structuredClone(value)));
        expect(traits(actual)).toEqual(traits(structuredClone(value)));
      }),
      { numRuns: 25 },
    );
  });

  it('that is plain data takes the compact way', () => {
    const plain = { id: 'a', n: [1, -0, 1.5, 1e9], at: new Date(5), none: undefined, nested: { ok: true, no: null } };
    expect(encodePayload(plain).codec).toBe(Codec.COMPACT);
    expect(encodePayload('text').codec).toBe(Codec.COMPACT);
    expect(encodePayload(new Map()).codec).toBe(Codec.V8);
  });

  it.each([
    ['a hole', Object.assign(new Array(3), { 0: 1, 2: 3 })],
    ['an own key named __proto__', JSON.parse('{"__proto__":{"polluted":true},"a":1}')],
    ['an array with a further key', Object.assign([1], { extra: 2 })],
    ['a lone surrogate', '\ud800'],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 })],
    ['an invalid date', new Date(Number.NaN)],
    ['a regular expression', /a(b)+/giu],
    ['boxed values', [new Number(1), new String('a'), new Boolean(false)]],
    [
      'a class instance',
      new (class Point {
        readonly x = 1;
      })(),
    ],
    ['a value with toJSON', { toJSON: undefined, a: 1 }],
    ['an array whose class has toJSON', Object.setPrototypeOf([1, 2], { toJSON: () => 'other' })],
    ['the fields of a match', /b(.)/.exec('abc')],
    ['more keys than a shape has', Object.fromEntries(Array.from({ length: 200 }, (_, n) => [`key ${n}`, n]))],
    ['__proto__ among many keys', JSON.parse(`{"__proto__":1,${Array.from({ length: 99 }, (_, n) => `"k${n}":1`)}}`)],
    ['keys that look like shapes', { '1:a': 1, ':': 2, '': 3, 'a:b:c': 4, '7': 5 }],
    ['objects of one shape', Array.from({ length: 300 }, (_, n) => ({ n, even: n % 2 === 0 }))],
    ['Latin-1 text', { größe: 'é'.repeat(300), plain: 'abc' }],
    ['text beyond Latin-1', { 名: '日本', astral: '😀', latin: 'é' }],
    ['text larger than the scratch buffer', { ascii: 'x'.repeat(300_000), after: 1, wide: 'ü日'.repeat(50_000) }],
    ['values larger than the scratch buffer', Array.from({ length: 20_000 }, (_, n) => n + 0.5)],
    ['the edges of integers', [127, 128, -128, -129, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -(2 ** 31) - 1, 2 ** 53]],
    ['an error', Object.assign(new RangeError('no', { cause: { code: 1n } }), { stack: 'RangeError: no' })],
    ['a deep value', Array.from({ length: 63 }).reduce<unknown>((inner) => ({ inner }), 1)],
    ['a deeper value', Array.from({ length: 200 }).reduce<unknown>((inner) => [inner], { a: 1 })],
  ])('keeps %s', (_name, value) => {
    const actual = roundTrip(value);
    expect(traits(actual)).toEqual(traits(structuredClone(value)));
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.keys(actual as object)).toEqual(Object.keys(structuredClone(value) as object));
  });

  it('keeps cycles and shared references', () => {
    const shared = { n: 1 };
    const value: Record<string, unknown> = { a: shared, b: shared, list: [shared] };
    value['self'] = value;
    const actual = roundTrip(value) as typeof value;
    expect(actual['self']).toBe(actual);
    expect(actual['a']).toBe(actual['b']);
    expect((actual['list'] as unknown[])[0]).toBe(actual['a']);
    expect(actual['a']).toEqual({ n: 1 });
  });

  it.each([
    Buffer.from('abc'),
    new Uint8Array([1, 2, 3]),
    new Int8Array([-1]),
    new Uint8ClampedArray([255]),
    new Int16Array([-300, 300]),
    new Uint16Array([65_535]),
    new Int32Array([-70_000]),
    new Uint32Array([4_000_000_000]),
    new Float32Array([1.5]),
    new Float64Array([Math.PI, -0]),
    new BigInt64Array([-5n]),
    new BigUint64Array([5n]),
    new Uint8Array(new ArrayBuffer(16), 3, 5).fill(7),
  ])('of raw bytes keeps its type: %#', (value) => {
    for (const mode of ['copy', 'view'] as const) {
      const actual = roundTrip(value, mode) as typeof value;
      expect(actual.constructor).toBe(value.constructor);
      expect([...actual]).toEqual([...value]);
      expect(actual.buffer instanceof SharedArrayBuffer).toBe(mode === 'view');
    }
  });

  it('that is a DataView or an ArrayBuffer keeps its type', () => {
    const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
    expect(new Uint8Array(roundTrip(buffer) as ArrayBuffer)).toEqual(new Uint8Array([1, 2, 3, 4]));
    const view = roundTrip(new DataView(buffer, 1, 2)) as DataView;
    expect([view.byteLength, view.getUint8(0)]).toEqual([2, 2]);
  });

  it('whose getter encodes another payload is not disturbed by it', () => {
    let inner: unknown;
    const value = {
      before: 'a',
      get during() {
        inner = roundTrip({ other: ['text', 1] });
        return 'b';
      },
      after: 'c',
    };
    expect(roundTrip(value)).toEqual({ before: 'a', during: 'b', after: 'c' });
    expect(inner).toEqual({ other: ['text', 1] });
  });

  it('does not take in what somebody gave to Object.prototype', () => {
    const prototype = Object.prototype as unknown as Record<string, unknown>;
    prototype['everywhere'] = 1;
    try {
      expect(Object.keys(roundTrip({ a: 1 }) as object)).toEqual(['a']);
    } finally {
      delete prototype['everywhere'];
    }
  });

  it('of views of another realm keeps their types', () => {
    const view = roundTrip(runInNewContext('new Float64Array([1.5, 2.5])'));
    expect(traits(view)).toBe(traits(new Float64Array([1.5, 2.5])));
  });

  it('with views inside gives each its own memory', () => {
    const decoded = roundTrip({ small: Buffer.from('abc'), list: [new Float64Array([1, 2])] }) as {
      small: Buffer;
      list: [Float64Array];
    };
    expect(Buffer.isBuffer(decoded.small)).toBe(true);
    expect([decoded.small.buffer.byteLength, decoded.list[0].buffer.byteLength]).toEqual([3, 16]);
  });

  it('of raw bytes is read at any address, but not cut short', () => {
    const bytes = new Uint8Array(33).subarray(1);
    expect(decodePayload(Codec.FLOAT64, bytes, 'view')).toHaveLength(4);
    expect(refusalOf(() => decodePayload(Codec.FLOAT64, bytes.subarray(3)))).toMatchObject({ code: 'BUSBAR_DECODING' });
  });

  it('does not lend its memory to the next one', () => {
    const first = Buffer.from(encodePayload({ a: 'first', n: 1 }).bytes);
    encodePayload({ b: 'second and longer', list: [1, 2, 3] });
    expect(decodePayload(Codec.COMPACT, first)).toEqual({ a: 'first', n: 1 });
  });

  it('is told as JSON only where JSON says it exactly', () => {
    const asJson = (value: unknown) => {
      const { codec, bytes } = encodePayload(value);
      return plainJsonOf(codec, bytes);
    };
    expect(asJson({ a: [1, 'b', null, true] })).toEqual({ a: [1, 'b', null, true] });
    for (const value of [-0, Number.NaN, [undefined], { at: new Date(0) }, 1n, Buffer.from('a'), new Map()]) {
      expect(asJson(value)).toBeUndefined();
    }
    expect(plainJsonOf(Codec.JSON, Buffer.from('{"torn'))).toBeUndefined();
  });

  it('has a codec whose name is found again', () => {
    for (const codec of Object.values(Codec)) expect(codecFromName(codecName(codec))).toBe(codec);
    expect(codecFromName('toString')).toBeUndefined();
  });
});
