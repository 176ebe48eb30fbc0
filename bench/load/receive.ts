// What the far side of every contender does with a message: looks at it, counts it, answers with its size. Runs on any thread.
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads';
import { burn } from './burn.js';

const KEY = 'busbar-bench-received';

/** Messages received on all threads, mod 2^32: one word that every thread of the process shares. */
const received = sharedWord();

/** Bytes answer with their length, objects with their `id`. */
export function receive(payload: unknown): number {
  Atomics.add(received, 0, 1);
  if (!(payload instanceof Uint8Array)) return (payload as { id: number }).id;
  return payload[0] === payload[payload.length - 1] ? payload.length : -1;
}

/** Computes for so many steps, and counts the message. */
export function burnAndCount(steps: number): number {
  const hash = burn(steps);
  Atomics.add(received, 0, 1);
  return hash;
}

/** Messages received so far, mod 2^32 (signed). */
export function receivedSoFar(): number {
  return Atomics.load(received, 0);
}

/** Threads started later inherit it. */
function sharedWord(): Int32Array {
  const inherited = getEnvironmentData(KEY);
  const memory = inherited instanceof SharedArrayBuffer ? inherited : new SharedArrayBuffer(4);
  if (memory !== inherited) setEnvironmentData(KEY, memory);
  return new Int32Array(memory);
}
