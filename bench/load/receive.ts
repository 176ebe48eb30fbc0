// What the far side of every contender does with a message: looks at it, counts it, answers with its size. Runs on any thread.
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { burn } from './burn.js';

const KEY = 'busbar-bench-received';
const RECEIVED = 0;
/** The number that comes next, when messages are numbered. */
const NEXT = 1;
/** Numbers that were another. */
const FAULTS = 2;
/** In doubles: when the last one was burnt. */
const BURNT_AT = 2;
const WORDS = 6;

/** Counted on all threads, mod 2^32: words that every thread of the process shares. */
const words = sharedWords();
const times = new Float64Array(words.buffer);

/** Bytes answer with their length, objects with their `id`. */
export function receive(payload: unknown): number {
  Atomics.add(words, RECEIVED, 1);
  if (!(payload instanceof Uint8Array)) return (payload as { id: number }).id;
  return payload[0] === payload[payload.length - 1] ? payload.length : -1;
}

/** Computes for so many steps, and counts the message. */
export function burnAndCount(steps: number): number {
  const hash = burn(steps);
  times[BURNT_AT] = performance.timeOrigin + performance.now();
  Atomics.add(words, RECEIVED, 1);
  return hash;
}

/** Takes messages that are numbered one after the other, and counts each that is not the next one. On one lane at a time. */
export function receiveNumbered(payload: unknown): void {
  const bytes = payload as Uint8Array;
  const number = new DataView(bytes.buffer, bytes.byteOffset).getInt32(0);
  if (number !== Atomics.load(words, NEXT)) Atomics.add(words, FAULTS, 1);
  Atomics.store(words, NEXT, (number + 1) | 0);
  Atomics.add(words, RECEIVED, 1);
}

/** Numbered messages that were lost, doubled or out of order so far. */
export function faultsSoFar(): number {
  return Atomics.load(words, FAULTS);
}

/** When {@link burnAndCount} last came to its end on any thread: `performance.timeOrigin + performance.now()`. */
export function lastBurntAt(): number {
  return times[BURNT_AT] as number;
}

/** Messages received so far, mod 2^32 (signed). */
export function receivedSoFar(): number {
  return Atomics.load(words, RECEIVED);
}

/** Threads started later inherit it. */
function sharedWords(): Int32Array {
  const inherited = getEnvironmentData(KEY);
  const memory = inherited instanceof SharedArrayBuffer ? inherited : new SharedArrayBuffer(WORDS * 4);
  if (memory !== inherited) setEnvironmentData(KEY, memory);
  return new Int32Array(memory);
}
