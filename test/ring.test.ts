// The ring: what is written is read, in order and whole, on one thread and across two.
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Doorbell } from '../src/shared/doorbell.js';
import { allocateRing, RingReader, RingWriter } from '../src/shared/ring.js';
import { writeRecord } from './write-record.js';

/** A record's content, which tells its number and length. */
function contentOf(n: number, length: number): Buffer {
  return Buffer.alloc(length, n & 0xff);
}

/** A small ring beside a plain list that says what must be in it. */
class RingAndModel {
  readonly #memory = allocateRing(1024);
  #writer = new RingWriter(this.#memory);
  #reader = new RingReader(this.#memory);
  #written = 0;
  /** Not released; those before `#read` are read. */
  readonly #model: { n: number; length: number }[] = [];
  #read = 0;

  write(length: number): void {
    const n = this.#written;
    if (writeRecord(this.#writer, n, contentOf(n, length))) {
      this.#model.push({ n, length });
      this.#written++;
    } else {
      // A record of less than half the ring must fit when it is empty.
      expect(this.#model.length).toBeGreaterThan(0);
    }
    expect(this.#writer.written).toBe(this.#written);
  }

  read(): void {
    const record = this.#reader.read();
    const expected = this.#model[this.#read];
    expect(record?.kind).toBe(expected?.n);
    if (record === undefined || expected === undefined) return;
    expect(Buffer.compare(Buffer.from(record.bytes), contentOf(expected.n, expected.length))).toBe(0);
    this.#read++;
  }

  release(): void {
    this.#reader.release();
    this.#model.splice(0, this.#read);
    this.#read = 0;
  }

  replaceReader(): void {
    this.#reader = new RingReader(this.#memory);
    this.#read = 0;
  }

  replaceWriter(): void {
    this.#writer = new RingWriter(this.#memory);
  }
}

describe('a ring', () => {
  it.each([0, 1000, 1023, 2 ** 31, 3.5, '1024'])('cannot be made of %j bytes', (bytes) => {
    expect(() => allocateRing(bytes as number)).toThrow(expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION' }));
  });

  it('behaves as a queue, whatever is written, read and released', () => {
    const action = fc.oneof(
      fc.record({ write: fc.integer({ min: 0, max: 480 }) }),
      fc.constantFrom('read' as const, 'release' as const, 'replaceReader' as const, 'replaceWriter' as const),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300, size: 'max' }), (actions) => {
        const queue = new RingAndModel();
        for (const step of actions) {
          if (typeof step === 'object') queue.write(step.write);
          else queue[step]();
        }
      }),
      { numRuns: 30 },
    );
  });

  it('goes on when its counters pass 2^32', () => {
    const memory = allocateRing(1024);
    const control = new Int32Array(memory);
    control[0] = -512; // TAIL
    control[32] = -512; // HEAD
    control[1] = -3; // WRITTEN
    const writer = new RingWriter(memory);
    const reader = new RingReader(memory);
    for (let n = 0; n < 100; n++) {
      expect(writeRecord(writer, n, contentOf(n, 100))).toBe(true);
      expect(reader.read()).toMatchObject({ kind: n });
      reader.release();
    }
    expect(writer.isEmpty).toBe(true);
  });

  it('says when room that was asked for is there', () => {
    const memory = allocateRing(1024);
    const writer = new RingWriter(memory);
    const reader = new RingReader(memory);
    while (writeRecord(writer, 1, contentOf(1, 100)));
    expect(writer.wantRoom(writer.unreleasedBytes >> 1)).toBe(false);
    expect(reader.hasWantedRoom).toBe(false);
    for (let n = 0; n < 5; n++) reader.read();
    reader.release();
    expect([reader.hasWantedRoom, reader.mayHaveWantedRoom, writer.hasWantedRoom]).toEqual([true, true, true]);
    writer.wantNothing();
    expect([reader.hasWantedRoom, reader.mayHaveWantedRoom]).toEqual([false, false]);
  });

  it('gives space back and counts the success in one step', () => {
    const memory = allocateRing(1024);
    const writer = new RingWriter(memory);
    const reader = new RingReader(memory);
    while (writeRecord(writer, 1, contentOf(1, 100)));
    expect(writer.wantRoom(writer.unreleasedBytes >> 1)).toBe(false);
    for (let n = 1; n <= 5; n++) {
      reader.read();
      reader.releaseSucceeded(reader.cursor);
      expect(writer.succeeded).toBe(n);
    }
    reader.showRelease();
    expect([reader.mayHaveWantedRoom, reader.hasWantedRoom, writer.hasWantedRoom]).toEqual([true, true, true]);
    expect(writer.oldest).toBe(5);
  });

  it.each([1, 2, 3])('carries records between two threads: content, order and count (seed %d)', async (seed) => {
    const records = 30_000;
    const memory = allocateRing(4096);
    const bell = Doorbell.allocate();
    const writerBell = Doorbell.allocate();
    const url = new URL('./fixtures/reads-a-ring.js', import.meta.url);
    const reader = new Worker(url, { workerData: { memory, bell, writerBell, records }, execArgv: [] });
    const answer = new Promise<unknown>((resolve, reject) => reader.once('message', resolve).once('error', reject));
    const writer = new RingWriter(memory);
    const ring = new Doorbell(bell);
    const room = new Doorbell(writerBell);
    const contents = Array.from({ length: 256 }, (_, n) => contentOf(n, 1500));
    let random = seed;
    for (let n = 0; n < records; n++) {
      // A linear congruential generator (Numerical Recipes), so that a seed tells the run.
      random = (Math.imul(random, 1664525) + 1013904223) | 0;
      const length = (random >>> 16) % ((random >>> 8) % 64 === 0 ? 1500 : 40);
      const content = (contents[n & 0xff] as Buffer).subarray(0, length);
      while (!writeRecord(writer, n, content)) {
        if (!writer.wantRoom(writer.unreleasedBytes >> 1)) await room.sleep(() => writer.hasWantedRoom, 5000);
        writer.wantNothing();
      }
      ring.ring();
    }
    expect(await answer).toEqual({ read: records, wrong: 0 });
    await reader.terminate();
  });
});

it('goes on with the right number, wherever in a commit its writer died', () => {
  const memory = allocateRing(1024);
  const writer = new RingWriter(memory);
  const control = new Int32Array(memory, 0, 3);
  for (let n = 0; n < 20; n++) {
    const [tail, written, intended] = control as unknown as [number, number, number];
    expect(writeRecord(writer, n, new Uint8Array(8))).toBe(true);
    const after = [...control] as [number, number, number];
    // TAIL, WRITTEN and INTENDED are stored in the order INTENDED, WRITTEN, TAIL.
    for (const torn of [
      [tail, written, intended],
      [tail, written, after[2]],
      [tail, after[1], after[2]],
    ]) {
      control.set(torn);
      expect(new RingWriter(memory).written).toBe(n);
    }
    control.set(after);
    expect(new RingWriter(memory).written).toBe(n + 1);
  }
});

describe('a sleep tells whether the event loop has had a turn', () => {
  const sleepIn = async (
    dozes: number,
    ready: (bell: Doorbell, looks: number) => boolean,
  ): Promise<[boolean, boolean]> => {
    const memory = Doorbell.allocate();
    const bell = new Doorbell(memory);
    let hasTurned = false;
    setImmediate(() => {
      hasTurned = true;
    });
    let looks = 0;
    return [await bell.sleep(() => ready(bell, ++looks), 1, dozes), hasTurned];
  };

  const ringing = (bell: Doorbell): boolean => {
    bell.ring();
    return false;
  };

  it.each<[string, number, (bell: Doorbell, looks: number) => boolean, boolean]>([
    ['there was something to do already', 3, () => true, false],
    ['it was rung before it blocked', 0, ringing, false],
    ['it was rung in the first doze', 3, ringing, false],
    ['there was something to do after the first doze', 3, (_bell, looks) => looks === 2, false],
    ['there was something to do after the second doze', 3, (_bell, looks) => looks === 3, true],
    ['it slept', 0, () => false, true],
    ['it slept after a doze', 1, () => false, true],
  ])('%s', async (_when, dozes, ready, turned) => {
    expect(await sleepIn(dozes, ready)).toEqual([turned, turned]);
  });
});
