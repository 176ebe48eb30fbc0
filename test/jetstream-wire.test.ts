// What goes over the wire to JetStream: messages in the stream, and acknowledgements.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ByNumber } from '../src/shared/by-number.js';
import { decodePayload, encodePayload } from '../src/shared/codec.js';
import type { EncodedMessage } from '../src/shared/message.js';
import { publishToAll } from '../src/transport/client.js';
import { ReplyReader } from '../src/transport/delivered.js';
import { Remembered } from '../src/transport/remembered.js';
import { decodeMessage, encodeMessage, markSentAgain, wasSentAgain } from '../src/transport/wire.js';
import { memoryInUse } from './heap.js';

const payload = { camera: 'front', box: [1, 2, 3] };
const message: EncodedMessage = {
  ...{ id: 'mé-1', topic: 'a.b', key: 'ключ', priority: 'high', headers: { traceparent: '00-1', note: 'ü' } },
  ...{ publishedAt: 1_700_000_000_123.5, expiresAt: 1_700_000_060_000, ...encodePayload(payload), lossy: true },
};

describe('a message in the stream', () => {
  it('comes back as it was, whatever of it is left out', () => {
    const bare: EncodedMessage = { ...message, key: null, headers: null, priority: 'low', expiresAt: 0, lossy: false };
    for (const each of [message, bare, { ...message, key: '', headers: {} }]) {
      const { bytes, started, ...facts } = decodeMessage('a.b', encodeMessage(each), 3);
      const { bytes: itsBytes, ...itsFacts } = each;
      expect(facts).toEqual(itsFacts);
      expect(started).toBe(3);
      expect(decodePayload(each.codec, bytes)).toEqual(payload);
    }
  });

  it('keeps id, key and headers apart, also where one ends in half a character and the next begins with the other half', () => {
    const read = decodeMessage('a.b', encodeMessage({ ...message, id: 'cut\ud83d', key: '\ude00key' }), 0);
    expect(read).toMatchObject({ id: 'cut\ufffd', key: '\ufffdkey', headers: message.headers });
    expect(decodePayload(read.codec, read.bytes)).toEqual(payload);
  });

  it('is read in its first version, too: what waits in a stream outlives a program', () => {
    const facts = { id: 'm1', codec: 'json', published_at: 5, key: 'k', priority: 'critical', headers: { a: 'b' } };
    const text = Buffer.from(JSON.stringify(facts));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    const first = Buffer.concat([Buffer.of(1), length, text, Buffer.from('[1]')]);
    const { bytes, ...read } = decodeMessage('t', first, 0);
    expect(read).toMatchObject({
      id: 'm1',
      topic: 't',
      key: 'k',
      priority: 'critical',
      headers: { a: 'b' },
      expiresAt: 0,
    });
    expect(decodePayload(read.codec, bytes)).toEqual([1]);
    expect(wasSentAgain(first)).toBe(false);
    first[0] = 0x81;
    expect(wasSentAgain(first)).toBe(true);
    expect(decodeMessage('t', first, 0).id).toBe('m1');
  });

  it('says that it was sent again, and stays readable', () => {
    const encoded = encodeMessage(message);
    expect(wasSentAgain(encoded)).toBe(false);
    markSentAgain(encoded);
    expect(wasSentAgain(encoded)).toBe(true);
    expect(decodeMessage('a.b', encoded, 0).id).toBe(message.id);
  });

  it('is refused with the reason when it is damaged or of somebody else', () => {
    const damaged = (change: (bytes: Buffer) => void): (() => unknown) => {
      const bytes = encodeMessage(message);
      change(bytes);
      return () => decodeMessage('a.b', bytes, 0);
    };
    expect(damaged((bytes) => bytes.fill(9, 0, 1))).toThrow('it was not published by busbar');
    expect(damaged((bytes) => bytes.fill(99, 1, 2))).toThrow('its codec 99 is not known');
    expect(damaged((bytes) => bytes.fill(7, 2, 3))).toThrow('its facts are not what they should be');
    expect(damaged((bytes) => bytes.writeDoubleLE(Number.NaN, 16))).toThrow('its facts are not what they should be');
    expect(damaged((bytes) => bytes.writeUInt32LE(0xffffffff, 8))).toThrow('it is cut off');
    expect(damaged((bytes) => bytes.write('}', bytes.indexOf('{')))).toThrow('its headers are no JSON');
    const whole = encodeMessage({ ...message, bytes: new Uint8Array(0) });
    for (let length = 0; length < whole.length; length++)
      expect(() => decodeMessage('a.b', whole.subarray(0, length), 0)).toThrow(
        expect.objectContaining({ code: 'BUSBAR_DECODING' }),
      );
  });
});

describe('what the server says of a delivery', () => {
  const reader = new ReplyReader('s', 'c');
  const said = { count: 2, sequence: 5_000_000_007, number: 31, stamp: 123_456_789 };
  const told = '.s.c.2.5000000007.31.1700000000123456789.8';

  it('is read from both forms of a reply subject, in any order', () => {
    for (const start of ['$JS.ACK', '$JS.ACK', '$JS.ACK.hub.Yx9', '$JS.ACK'])
      expect(reader.read(`${start}${told}`)).toEqual(said);
  });

  it("is nothing where it is another consumer's, or damaged", () => {
    expect(reader.read(`$JS.ACK${told}`)).toEqual(said);
    const others = ['$JS.ACK.s.c2.1.1.1.1.1', '$JS.ACK.s2.c.1.1.1.1.1', `_INBOX${told}`, '', '$JS.ACK'];
    const damaged = ['1.x7.3', '1..3', 'x', '1.7', '1.7.-3', '1.7.3x'].map((numbers) => `$JS.ACK.s.c.${numbers}`);
    for (const reply of [...others, ...damaged, ...damaged.map((each) => `${each}.1700000000123456789.8`)])
      expect(reader.read(reply)).toBeUndefined();
    for (const time of ['', '17', '1700000000x23456789'])
      expect(reader.read(`$JS.ACK.s.c.1.2.3.${time}.8`)).toBeUndefined();
  });
});

describe('what is kept by number', () => {
  it('is that of a map, whatever is added and removed in whichever order', () => {
    const step = fc.record({ isAdded: fc.boolean(), ahead: fc.nat(700), isFar: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const map = new Map<number, object>();
        const kept = new ByNumber<object>();
        let base = 5_000_000_000;
        for (const { isAdded, ahead, isFar } of steps) {
          const keys = [...map.keys()];
          const key = isAdded ? base + ahead : (keys[isFar ? ahead % (keys.length || 1) : keys.length - 1] ?? base);
          if (isAdded && !map.has(key)) {
            const value = {};
            map.set(key, value);
            kept.add(key, value);
            base += isFar ? 600 : 1;
          } else {
            expect(kept.delete(key)).toBe(map.delete(key));
          }
          const first = keys[0] ?? 0;
          expect([kept.size, kept.has(key), kept.get(first)]).toEqual([map.size, map.has(key), map.get(first)]);
        }
        expect(new Set(kept.keys())).toEqual(new Set(map.keys()));
        expect(new Set(kept.values())).toEqual(new Set(map.values()));
      }),
    );
  });

  it('takes less than a kilobyte for each of numbers that lie far apart', () => {
    const kept = new ByNumber<object>();
    const value = {};
    const before = memoryInUse().heap;
    for (let n = 0; n < 5000; n++) kept.add(n * 600, value);
    expect(memoryInUse().heap - before).toBeLessThan(5e6);
    expect(kept.size).toBe(5000);
  });
});

describe('acknowledgements', () => {
  const replies = ['$JS.ACK.s.c.1.7.3.17.0', '$JS.ACK.s.c.2.8.4.17.0'];

  it('go out in one piece, as the client would write them one by one, and one by one by a client that takes no pieces', () => {
    const written: string[] = [];
    const protocol = { sendCommand: (text: string) => void written.push(text) };
    publishToAll({ protocol } as unknown as Parameters<typeof publishToAll>[0], replies, '+TERM');
    expect(written).toEqual([`PUB ${replies[0]} 5\r\n+TERM\r\nPUB ${replies[1]} 5\r\n+TERM\r\n`]);
    const published: unknown[] = [];
    const publish = (...args: unknown[]): void => void published.push(args);
    publishToAll({ publish } as unknown as Parameters<typeof publishToAll>[0], replies, '+TERM');
    expect(published).toEqual(replies.map((reply) => [reply, '+TERM']));
  });

  it('are remembered by sequence, the oldest forgotten first', () => {
    const remembered = new Remembered();
    const sequences = [1, 31, 32, 16_383, 16_384, 5_000_000_000];
    const has = (sequence: number, stamp = 999_999_999): boolean => remembered.has({ sequence, stamp });
    const add = (sequence: number): void => remembered.add({ sequence, stamp: 999_999_999 });
    for (const sequence of sequences) add(sequence);
    expect(sequences.filter((sequence) => !has(sequence))).toEqual([]);
    expect([2, 33, 16_385, 4_999_999_999].filter((sequence) => has(sequence))).toEqual([]);
    expect([has(31, 999_999_998), has(2, 0)]).toEqual([false, false]);
    for (let page = 0; page < 30; page++) add(6_000_000_000 + page * 16_384);
    expect([1, 16_384, 5_000_000_000].map((sequence) => has(sequence))).toEqual([false, true, true]);
    // The stream was made anew, and begins with 1.
    add(2);
    expect([2, 16_384].map((sequence) => has(sequence))).toEqual([true, false]);
  });
});
