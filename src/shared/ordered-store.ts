// A store into shared memory that keeps its place among this thread's stores, at the least cost the machine has for that.

/**
 * Such a processor shows all stores in their order, and each within nanoseconds: a plain one is enough, where Atomics.store is a
 * call, and stalls until all stores before it have left. V8 leaves stores into typed arrays as they stand, and before the calls
 * that follow.
 */
const SHOWS_IN_ORDER = process.arch === 'x64';

/**
 * Who sees it sees all that was stored before. But what this thread looks at next it may see as it was before this store was
 * seen: where each side stores and then looks at what the other has stored, it must be Atomics.store.
 */
export function storeInOrder(words: Int32Array, index: number, value: number): void {
  if (SHOWS_IN_ORDER) words[index] = value;
  else Atomics.store(words, index, value);
}
