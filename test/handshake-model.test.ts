// The handshakes between threads, doorbell and ring, in every interleaving of their atomic steps; planted faults are found.
import { describe, expect, it } from '@jest/globals';
import { Doorbell } from '../src/shared/doorbell.js';
import { DOORBELL_BYTES, RING_CONTROL_BYTES, SUCCEEDED } from '../src/shared/layout.js';
import { RingReader, RingWriter } from '../src/shared/ring.js';
import { Counterexample, explore, type Model, type ModelThread } from './model/explorer.js';
import { importMutant } from './model/mutant.js';
import { temporaryFolder } from './test-bus.js';
import { writeRecord } from './write-record.js';

/** The code under test: the real one, or a mutant. */
interface Code {
  readonly Doorbell: typeof Doorbell;
  readonly RingWriter: typeof RingWriter;
  readonly RingReader: typeof RingReader;
}

const REAL: Code = { Doorbell, RingWriter, RingReader };
/** A record takes 24 bytes, so that each but the first waits for room, and wraps. */
const ROOM_FOR_ONE = 32;
const ROOM_FOR_TWO = 64;
/** Larger models: half a minute. */
const IS_THOROUGH = process.env['BUSBAR_THOROUGH'] === '1';

const contentOf = (n: number): Uint8Array => new Uint8Array(8).fill(n + 1);
const at = (memories: readonly SharedArrayBuffer[], index: number): SharedArrayBuffer =>
  memories[index] as SharedArrayBuffer;

/**
 * Several threads each count themselves in and ring, once or more often; one sleeps until it has seen them all.
 *
 * @param dozes how often it dozes before
 */
function ringersAndSleeper(code: Code, ringers: number, times = 1, dozes?: number): Model {
  const ringer = (index: number): ModelThread => ({
    name: `ringer ${index}`,
    async run(memories) {
      const bell = new code.Doorbell(at(memories, 0));
      for (let ring = 0; ring < times; ring++) {
        Atomics.add(new Int32Array(at(memories, 1)), 0, 1);
        bell.ring();
      }
      return undefined;
    },
  });
  const sleeper: ModelThread = {
    name: 'sleeper',
    async run(memories, seen) {
      const count = (): number => Atomics.load(new Int32Array(at(memories, 1)), 0);
      await new code.Doorbell(at(memories, 0)).sleep(() => count() > seen, undefined, dozes);
      const now = count();
      return now < ringers * times ? now : undefined;
    },
  };
  return {
    memories: [
      { name: 'bell', bytes: DOORBELL_BYTES },
      { name: 'count', bytes: 4 },
    ],
    threads: [...Array.from({ length: ringers }, (_, index) => ringer(index)), sleeper],
  };
}

/** Reads records to the last one, one a round, and sleeps while there is none. */
function readerOf(code: Code, records: number, options: Partial<ModelThread> = {}): ModelThread {
  return {
    name: 'reader',
    async run(memories, carried) {
      const reader = new code.RingReader(at(memories, 0));
      const own = new code.Doorbell(at(memories, 1));
      const writers = new code.Doorbell(at(memories, 2));
      // A successor does not know how far its predecessor came: whether it has counted the record that it has not
      // released, and whether it has rung for the room that it has.
      if (options.succeeds !== undefined && carried === 0) writers.ring();
      const next = Math.max(carried, Atomics.load(new Int32Array(at(memories, 0)), SUCCEEDED));
      let record = reader.read();
      while (record === undefined && next < records) {
        await own.sleep(() => reader.hasNext);
        record = reader.read();
      }
      if (record === undefined) return undefined;
      const { kind, bytes } = record;
      const isExpected = kind === next || (carried === 0 && kind === next - 1);
      if (!isExpected) throw new Error(`record ${kind} instead of ${next}`);
      if (Buffer.compare(bytes, contentOf(kind)) !== 0) throw new Error(`record ${kind} with another content`);
      if (kind === next) reader.countSuccess();
      reader.release();
      if (reader.hasWantedRoom) writers.ring();
      return kind + 1 < records ? kind + 1 : undefined;
    },
    ...options,
  };
}

/** As {@link readerOf}, as a lane reads that runs its handlers one after the other: plain stores and looks, and none in doubt before it sleeps. */
function serialReaderOf(code: Code, records: number): ModelThread {
  return {
    name: 'reader',
    async run(memories, next) {
      const reader = new code.RingReader(at(memories, 0));
      const own = new code.Doorbell(at(memories, 1));
      const writers = new code.Doorbell(at(memories, 2));
      let record = reader.read();
      while (record === undefined) {
        reader.showRelease();
        if (reader.hasWantedRoom) writers.ring();
        await own.sleep(() => reader.hasNext);
        record = reader.read();
      }
      if (record.kind !== next) throw new Error(`record ${record.kind} instead of ${next}`);
      if (Buffer.compare(record.bytes, contentOf(next)) !== 0) throw new Error(`record ${next} with another content`);
      reader.releaseSucceeded(reader.cursor);
      if (reader.mayHaveWantedRoom) writers.ring();
      return next + 1 < records ? next + 1 : undefined;
    },
  };
}

/** Writes its records, one a round; where there is no room it asks for it, and sleeps until it is there. */
function writerOf(code: Code, records: number, stirs = false): ModelThread {
  return {
    name: 'writer',
    async run(memories, n) {
      const writer = new code.RingWriter(at(memories, 0));
      const own = new code.Doorbell(at(memories, 2));
      const readers = new code.Doorbell(at(memories, 1));
      if (stirs) readers.ring();
      while (!writeRecord(writer, n, contentOf(n))) {
        if (!writer.wantRoom(writer.unreleasedBytes >> 1)) await own.sleep(() => writer.hasWantedRoom);
        writer.wantNothing();
      }
      readers.ring();
      return n + 1 < records ? n + 1 : undefined;
    },
  };
}

const memoriesWith = (ringBytes: number): Model['memories'] => [
  { name: 'ring', bytes: RING_CONTROL_BYTES + ringBytes, plainFrom: RING_CONTROL_BYTES },
  { name: 'bell', bytes: DOORBELL_BYTES },
  { name: 'writer bell', bytes: DOORBELL_BYTES },
];

const writerAndReader = (code: Code, records: number, stirs = false): Model => ({
  memories: memoriesWith(ROOM_FOR_ONE),
  threads: [writerOf(code, records, stirs), readerOf(code, records)],
});

const writerAndMortalReader = (code: Code, ringBytes: number, records: number): Model => ({
  memories: memoriesWith(ringBytes),
  threads: [
    writerOf(code, records),
    readerOf(code, records, { isMortal: true }),
    readerOf(code, records, { name: 'successor', succeeds: 'reader' }),
  ],
});

const MORTAL_READERS = IS_THOROUGH
  ? [
      [ROOM_FOR_ONE, 2],
      [ROOM_FOR_TWO, 2],
    ]
  : [[ROOM_FOR_ONE, 1]];

describe('in every interleaving', () => {
  it.each(IS_THOROUGH ? [1, 2, 3] : [1, 2])('a sleeper hears all of %d ringers', async (ringers) => {
    const { states, ends } = await explore(ringersAndSleeper(REAL, ringers));
    expect(states).toBeGreaterThan(6 ** (ringers + 1));
    expect(ends).toBeGreaterThan(0);
  });

  it('a sleeper that dozes before hears all of them, too', async () => {
    const { states, ends } = await explore(ringersAndSleeper(REAL, IS_THOROUGH ? 2 : 1, 1, 1));
    expect(states).toBeGreaterThan(36);
    expect(ends).toBeGreaterThan(0);
  });

  it('a sleeper hears a ringer again that rang for it a moment before', async () => {
    const { ends } = await explore(ringersAndSleeper(REAL, 1, IS_THOROUGH ? 4 : 2));
    expect(ends).toBeGreaterThan(0);
  });

  it('all records pass a ring that holds one, in order and whole, and nobody sleeps for ever', async () => {
    const { states, ends } = await explore(writerAndReader(REAL, IS_THOROUGH ? 3 : 2));
    expect(states).toBeGreaterThan(3000);
    expect(ends).toBeGreaterThan(0);
  });

  it('the same holds for a reader that releases and looks plainly', async () => {
    const threads = [writerOf(REAL, 2), serialReaderOf(REAL, 2)];
    const { states, ends } = await explore({ memories: memoriesWith(ROOM_FOR_ONE), threads });
    expect(states).toBeGreaterThan(1000);
    expect(ends).toBeGreaterThan(0);
  });

  it('nobody sleeps for ever either when the reader is woken before each record', async () => {
    const { states, ends } = await explore(writerAndReader(REAL, IS_THOROUGH ? 2 : 1, true));
    expect(states).toBeGreaterThan(100);
    expect(ends).toBeGreaterThan(0);
  });

  it.each(MORTAL_READERS)(
    'the reader of a ring of %d bytes with %d records may die at any step: a successor goes on from the last release',
    async (bytes, records) => {
      const { states, ends } = await explore(writerAndMortalReader(REAL, bytes as number, records as number));
      expect(states).toBeGreaterThan(500);
      expect(ends).toBeGreaterThan(0);
    },
  );
});

/** A planted fault: what it does wrong, in which module, what stands there, what stands there instead. */
type Fault = readonly [what: string, module: 'doorbell' | 'ring', from: string, to: string];

const RAISE = 'Atomics.store(this.#words, SLEEPING, 1);';
const FAULTS_OF_THE_BELL: readonly Fault[] = [
  [
    'a ringer lowers the flag of the sleeper',
    'doorbell',
    'Atomics.notify(this.#words, CHIME);',
    'Atomics.notify(this.#words, CHIME); Atomics.store(this.#words, SLEEPING, 0);',
  ],
  ['the sleeper does not look again after raising its flag', 'doorbell', '!ready()', 'true'],
  [
    'the sleeper looks before raising its flag, and not after',
    'doorbell',
    RAISE,
    `const saw = ready(); ready = () => saw; ${RAISE}`,
  ],
  ['the ringer does not change what the sleeper waits on', 'doorbell', 'Atomics.add(this.#words, CHIME, 1);', ''],
  [
    'the sleeper waits for a change from what it heard last of all',
    'doorbell',
    'heard, timeoutMs)',
    'Atomics.load(this.#words, CHIME), timeoutMs)',
  ],
  ['nobody is notified', 'doorbell', 'Atomics.notify(this.#words, CHIME);', ''],
];
const FAULTS_OF_THE_RING: readonly Fault[] = [
  [
    'the tail is given out before the record',
    'ring',
    'commit(kind) {',
    'commit(kind) { Atomics.store(this.control, TAIL, this.#tail + this.#claimed);',
  ],
  ['the writer takes room that is not released', 'ring', '#hasRoom(bytes) {', '#hasRoom(bytes) { return true;'],
  ['the writer does not say that it wants room', 'ring', 'Atomics.store(this.control, WANTED, position | 1);', ''],
  [
    'the writer does not look whether the room is there',
    'ring',
    'wanted !== 0 && ((this.word(HEAD)',
    'false && ((this.word(HEAD)',
  ],
];

async function mutate([, module, from, to]: Fault): Promise<Code> {
  return { ...REAL, ...(await importMutant<Partial<Code>>(temporaryFolder(), module, from, to)) };
}

describe('the search finds it when', () => {
  it('sleeps are not told apart', async () => {
    const code = await mutate(['', 'doorbell', 'Atomics.add(this.#words, NAP, 1);', '']);
    await expect(explore(ringersAndSleeper(code, 1, 2))).rejects.toThrow(Counterexample);
    await expect(explore(writerAndReader(code, 1, true))).rejects.toThrow(Counterexample);
  });

  it.each(FAULTS_OF_THE_BELL)('%s', async (...fault) => {
    await expect(explore(ringersAndSleeper(await mutate(fault), 2))).rejects.toThrow(Counterexample);
  });

  // One that dozes looks again after each doze, in any case.
  it.each(FAULTS_OF_THE_BELL.filter(([, , from]) => from !== '!ready()'))(
    '%s, and the sleeper dozes before',
    async (...fault) => {
      await expect(explore(ringersAndSleeper(await mutate(fault), 2, 1, 1))).rejects.toThrow(Counterexample);
    },
  );

  it.each(FAULTS_OF_THE_RING)('%s', async (...fault) => {
    await expect(explore(writerAndReader(await mutate(fault), 2))).rejects.toThrow(Counterexample);
  });

  it('a reader that looks plainly does not look beyond doubt before it sleeps', async () => {
    const code = await mutate(['', 'ring', 'return this.#isWanted(this.word(WANTED));', 'return false;']);
    const threads = [writerOf(code, 2), serialReaderOf(code, 2)];
    await expect(explore({ memories: memoriesWith(ROOM_FOR_ONE), threads })).rejects.toThrow(Counterexample);
  });

  it('a successor does not begin where its predecessor released', async () => {
    const code = await mutate(['', 'ring', 'this.#cursor = this.word(HEAD);', 'this.#cursor = this.word(TAIL);']);
    await expect(explore(writerAndMortalReader(code, ROOM_FOR_TWO, 2))).rejects.toThrow(Counterexample);
  });
});
