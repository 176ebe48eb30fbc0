// Payloads as bytes and back: with the fidelity of structured clone, from whatever memory.
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { codecFromName, codecName, decodePayload, encodeLossy, encodePayload } from '../src/shared/codec.js';
import { Codec, type CodecId } from '../src/shared/message.js';

/** Encoded, copied into shared memory as a ring would, and decoded there. */
function roundTrip(value: unknown, mode: 'copy' | 'view' = 'copy'): unknown {
  const { codec, bytes, lossy } = encodePayload(value);
  expect(lossy).toBe(false);
  const shared = Buffer.from(new SharedArrayBuffer(bytes.byteLength));
  shared.set(bytes);
  const decoded = decodePayload(codec, shared, mode);
  if (mode === 'copy') shared.fill(0xff);
  return decoded;
}

/** Types, keys and their order, holes, cycles, NaN and -0, as text: the test has classes of its own realm. */
function traits(value: unknown): string {
  return inspect(value, { depth: Number.POSITIVE_INFINITY, maxArrayLength: null, maxStringLength: null });
}

const leaf = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, ''),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.float64Array(),
  fc.int16Array(),
);
const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value')),
    fc.array(fc.tuple(tie('value'), tie('value'))).map((entries) => new Map(entries)),
    fc.array(tie('value')).map((items) => new Set(items)),
  ),
}));

describe('a payload', () => {
  it('comes back as structured clone would give it', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(traits(roundTrip(value))).toEqual(traits(structuredClone(value)));
      }),
    );
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

  it.each([() => 1, Symbol('s'), { deep: { fn: () => 1 } }, new WeakMap(), Promise.resolve()])(
    'that cannot be cloned is a coded error: %#',
    (value) => {
      expect(() => encodePayload(value)).toThrow(expect.objectContaining({ code: 'BUSBAR_ENCODING' }));
    },
  );

  it('that cannot be cloned goes as far as it can, when asked', () => {
    const hostile = {
      ok: [1n, new Map([['k', () => 1]])],
      fn: () => 1,
      get boom(): never {
        throw new Error('no');
      },
    };
    const { codec, bytes, lossy } = encodeLossy(Object.assign(hostile, { self: hostile }));
    const decoded = decodePayload(codec, bytes) as { self: unknown };
    expect(lossy).toBe(true);
    expect(decoded).toMatchObject({ ok: [1n, new Map([['k', undefined]])], boom: '[threw: no]' });
    expect(decoded.self).toBe(decoded);
    expect('fn' in decoded).toBe(false);
  });

  it('of 10 000 levels does not take the thread down', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 10_000; level++) deep = [deep];
    let outcome: unknown;
    try {
      outcome = roundTrip(deep);
    } catch (error) {
      outcome = (error as { code?: unknown }).code;
    }
    expect(outcome === 'BUSBAR_ENCODING' || Array.isArray(outcome)).toBe(true);
  });

  it('made of random bytes is decoded, or refused with a coded error', () => {
    const codecs = Object.values(Codec) as CodecId[];
    fc.assert(
      fc.property(fc.constantFrom(...codecs, 99 as CodecId), fc.uint8Array({ maxLength: 64 }), (codec, bytes) => {
        try {
          decodePayload(codec, bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: 'BUSBAR_DECODING' });
        }
      }),
    );
  });

  it('has a codec whose name is found again', () => {
    for (const codec of Object.values(Codec)) expect(codecFromName(codecName(codec))).toBe(codec);
    expect(codecFromName('toString')).toBeUndefined();
  });
});
