// Keeps so many calls under way for a while, each with a promise of its own, and tells how many came back a second.

/** How many calls are made between two looks at the clock, which costs as much as a small call does. */
const CALLS_A_LOOK = 32;

/**
 * Returns replies per second.
 *
 * @param reply what every call has to come back with
 * @throws when another reply came back, or a call was rejected
 */
export async function promiseEach(
  call: () => PromiseLike<unknown>,
  reply: number,
  inflight: number,
  ms: number,
): Promise<number> {
  const began = performance.now();
  let calls = 0;
  let isOver = false;
  const chain = async (): Promise<void> => {
    while (!isOver) {
      const answer = await call();
      if (answer !== reply) throw new Error(`a reply of ${String(answer)} instead of ${reply}`);
      if (++calls % CALLS_A_LOOK === 0) isOver = performance.now() - began > ms;
    }
  };
  await Promise.all(Array.from({ length: inflight }, chain));
  return (calls / (performance.now() - began)) * 1000;
}
