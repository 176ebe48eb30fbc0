// How main gives a lane its deliveries, by plain stores and plain looks, in every interleaving that x64 allows; planted faults are found.
import { describe, expect, it } from '@jest/globals';
import { Doorbell } from '../src/shared/doorbell.js';
import { DOORBELL_BYTES, RING_CONTROL_BYTES, SLEEPING } from '../src/shared/layout.js';
import { RingReader, RingWriter } from '../src/shared/ring.js';
import { Counterexample, explore, type Model, type ModelThread } from './model/explorer.js';
import { importMutant } from './model/mutant.js';
import { temporaryFolder } from './test-bus.js';
import { writeRecord } from './write-record.js';

const RECORDS = 2;
const ROOM_FOR_BOTH = 64;
const CONTENT = new Uint8Array(8).fill(7);
type Bell = typeof Doorbell;

const at = (memories: readonly SharedArrayBuffer[], index: number): SharedArrayBuffer =>
  memories[index] as SharedArrayBuffer;

/** @param looksBeyondDoubt false: a planted fault */
function publisher(Bell: Bell, looksBeyondDoubt: boolean): ModelThread {
  return {
    name: 'publisher',
    async run(memories) {
      const writer = new RingWriter(at(memories, 0));
      const bell = new Bell(at(memories, 1));
      let isInDoubt = false;
      for (let n = 0; n < RECORDS; n++) {
        writeRecord(writer, n, CONTENT, 'commitInOrder');
        // The plain look that follows sees what this one does.
        Atomics.load(new Int32Array(at(memories, 1)), SLEEPING);
        if (!bell.ringAtAGlance()) isInDoubt = true;
      }
      if (isInDoubt && looksBeyondDoubt) bell.ringInDoubt();
      return undefined;
    },
  };
}

function reader(Bell: Bell): ModelThread {
  return {
    name: 'reader',
    async run(memories, next) {
      const records = new RingReader(at(memories, 0));
      const bell = new Bell(at(memories, 1));
      let record = records.read();
      while (record === undefined) {
        await bell.sleep(() => records.hasNext);
        record = records.read();
      }
      if (record.kind !== next) throw new Error(`record ${record.kind} instead of ${next}`);
      if (Buffer.compare(record.bytes, CONTENT) !== 0) throw new Error(`record ${next} with another content`);
      records.release();
      return next + 1 < RECORDS ? next + 1 : undefined;
    },
  };
}

const modelOf = (bell: Bell, looksBeyondDoubt = true): Model => ({
  memories: [
    { name: 'ring', bytes: RING_CONTROL_BYTES + ROOM_FOR_BOTH, plainFrom: RING_CONTROL_BYTES },
    { name: 'bell', bytes: DOORBELL_BYTES },
  ],
  threads: [publisher(bell, looksBeyondDoubt), reader(bell)],
});

async function mutate(from: string, to: string): Promise<Bell> {
  const { Doorbell: mutant } = await importMutant<{ Doorbell: Bell }>(temporaryFolder(), 'doorbell', from, to);
  return mutant;
}

describe('in every interleaving', () => {
  it('a lane sees all that main stored in order, glancing at its bell, and looking beyond doubt once', async () => {
    const { states, ends } = await explore(modelOf(Doorbell));
    expect(states).toBeGreaterThan(200);
    expect(ends).toBeGreaterThan(0);
  });
});

describe('the search finds it when', () => {
  it('main does not look beyond doubt afterwards', async () => {
    await expect(explore(modelOf(Doorbell, false))).rejects.toThrow(Counterexample);
  });

  it('main wakes nobody at a glance, and takes that for beyond doubt', async () => {
    const bell = await mutate('=== 1 && this.#wake()', '=== 1');
    await expect(explore(modelOf(bell))).rejects.toThrow(Counterexample);
  });

  const whereStoresArePlain = process.arch === 'x64' ? it : it.skip;

  whereStoresArePlain('a sleep that was rung for already is taken for beyond doubt', async () => {
    const bell = await mutate('return false;\n        this.#rungFor', 'return true;\n        this.#rungFor');
    await expect(explore(modelOf(bell))).rejects.toThrow(Counterexample);
  });

  whereStoresArePlain('its look beyond doubt is no barrier', async () => {
    const bell = await mutate('Atomics.or(this.#words, SLEEPING, 0)', 'Atomics.load(this.#words, SLEEPING)');
    await expect(explore(modelOf(bell))).rejects.toThrow(Counterexample);
  });
});
