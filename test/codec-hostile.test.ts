// Payloads that cannot be encoded, and bytes that cannot be decoded: coded errors, never a thread lost.

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { decodePayload, encodeLossy, encodePayload } from '../src/shared/codec.js';
import { Codec, type CodecId } from '../src/shared/message.js';
import { memoryInUse } from './heap.js';
import { anything, refusalOf, roundTrip } from './payloads.js';

function detachedView(): Uint8Array {
  const view = new Uint8Array(8);
  structuredClone(view, { transfer: [view.buffer] });
  return view;
}

/** Cannot even be asked what it is. */
const unspeakable: object = new Proxy(
  {},
  {
    get: () => {
      throw unspeakable;
    },
    getPrototypeOf: () => {
      throw unspeakable;
    },
    ownKeys: () => {
      throw unspeakable;
    },
  },
);

/** A copy with these bits flipped, and no more than `cut` of its bytes. */
function damaged(whole: Buffer, flips: readonly (readonly [at: number, bits: number])[], cut: number | null): Buffer {
  const copy = Buffer.from(whole);
  for (const [at, bits] of flips) {
    const place = at % Math.max(1, copy.length);
    if (place < copy.length) copy[place] = (copy[place] as number) ^ bits;
  }
  return cut === null ? copy : copy.subarray(0, cut % (copy.length + 1));
}

describe('a payload', () => {
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

  it.each([
    [{ a: [1, 2, 3, { fn: () => 1 }] }, 'payload.a[3].fn'],
    [{ 'no name': Symbol('s') }, 'payload["no name"]'],
    [new Map([['k', { s: Symbol('s') }]]), 'payload.entry(0)[1].s'],
    [[new Set([1, Promise.resolve()])], 'payload[0].entry(1)'],
    [{ wide: new SharedArrayBuffer(8) }, 'payload.wide'],
    [() => 1, 'payload'],
  ])('that cannot be cloned is told by its path: %#', (value, path) => {
    const error = refusalOf(() => encodePayload(value)) as Error;
    expect(error.message.startsWith(`${path} cannot be encoded: `)).toBe(true);
    expect(error.cause).toBeDefined();
  });

  it.each([
    ['a Proxy that throws at every question', unspeakable],
    ['one inside', { ok: 1, bad: unspeakable }],
    [
      'a getter that throws one',
      {
        get bad(): never {
          throw unspeakable;
        },
      },
    ],
    ['a detached buffer', detachedView()],
  ])('of hostile make is refused with a coded error, and goes lossy without one: %s', (_name, value) => {
    expect(refusalOf(() => encodePayload(value))).toMatchObject({ code: 'BUSBAR_ENCODING' });
    const { codec, bytes, lossy } = encodeLossy(value);
    expect(lossy).toBe(true);
    expect(() => decodePayload(codec, bytes)).not.toThrow();
  });

  it('that goes lossy keeps errors, binary data and the length of arrays', () => {
    const list = Object.assign(new Array(5), { 1: () => 1 });
    const view = new Float64Array(new SharedArrayBuffer(16)).fill(2);
    const { codec, bytes } = encodeLossy({
      error: new TypeError('boom', { cause: () => 1 }),
      list,
      view,
      big: Object(1n),
    });
    const decoded = decodePayload(codec, bytes) as { error: Error; list: unknown[]; view: Float64Array; big: unknown };
    expect([decoded.error.name, decoded.error.message]).toEqual(['TypeError', 'boom']);
    expect(decoded.list).toHaveLength(5);
    expect([...decoded.view]).toEqual([2, 2]);
    expect(String(decoded.big)).toBe('1');
  });

  it('that was refused leaves nothing behind for the next one', () => {
    expect(refusalOf(() => encodePayload({ text: 'left over', fn: () => 1 }))).toBeDefined();
    expect(roundTrip({ a: 'b' })).toEqual({ a: 'b' });
  });

  it('of ever new keys does not fill the memory', () => {
    const before = memoryInUse().heap;
    for (let n = 0; n < 20_000; n++) roundTrip({ [`generated key ${n}`]: n });
    // 20 000 shapes would be 10 MB and more; 4096 are kept.
    expect(memoryInUse().heap - before).toBeLessThan(8e6);
  });

  it('of many long keys is let go of once it is read', () => {
    const records = [5, 4, 3, 2, 1].map((count) => {
      const shapes = Array.from({ length: count }, (_, n) =>
        Object.fromEntries(
          Array.from({ length: 60 }, (_, m) => [`a long key of the shape ${count}-${n}-${m}`.padEnd(50), 1]),
        ),
      );
      const { codec, bytes } = encodePayload({ shapes, text: 'x'.repeat(9e5) });
      return { codec, bytes: Buffer.from(bytes) };
    });
    const before = memoryInUse().heap;
    for (const { codec, bytes } of records) decodePayload(codec, bytes);
    expect(memoryInUse().heap - before).toBeLessThan(2e6);
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

  it('that was cut or changed on its way is decoded, or refused with a coded error', () => {
    const damage = fc.record({
      flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
      cut: fc.option(fc.nat()),
    });
    // A payload takes longer to be made up than to be read, so each one is damaged in several ways.
    const damages = fc.array(damage, { minLength: 5, maxLength: 5 });
    fc.assert(
      fc.property(anything, damages, (value, ways) => {
        const { codec, bytes } = encodePayload(value);
        const whole = Buffer.from(bytes);
        for (const { flips, cut } of ways) {
          const error = refusalOf(() => decodePayload(codec, damaged(whole, flips, cut)));
          if (error !== undefined) expect(error).toMatchObject({ code: 'BUSBAR_DECODING' });
        }
      }),
      { numRuns: 70 },
    );
  });

  it('cut anywhere is refused when it was compact', () => {
    const whole = Buffer.from(encodePayload({ id: 'a', list: [1, 2.5, { id: 'b' }], at: new Date(1) }).bytes);
    for (let length = 0; length < whole.length; length++) {
      const error = refusalOf(() => decodePayload(Codec.COMPACT, whole.subarray(0, length)));
      expect(error).toMatchObject({ code: 'BUSBAR_DECODING' });
    }
  });

  it('that promises more than it holds costs no memory', () => {
    const arrayOfMany = Buffer.from([1, 0, 0, 0, 14, 0, 0, 0, 9, 0xff, 0xff, 0xff, 0xff, 0x07]);
    const futureVersion = Buffer.from([2, 0, 0, 0, 9, 0, 0, 0, 0]);
    for (const bytes of [arrayOfMany, futureVersion]) {
      expect(refusalOf(() => decodePayload(Codec.COMPACT, bytes))).toMatchObject({ code: 'BUSBAR_DECODING' });
    }
  });
});
