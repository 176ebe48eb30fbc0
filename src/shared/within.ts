// Waits for something, but not for ever.
import type { Clock, Timer } from './clock.js';

/**
 * What `work` comes to, or `late` when it has not settled after `ms` milliseconds. Rejects when `work` throws or rejects
 * in time; what comes later is not heard of.
 */
export async function within<T, L>(
  clock: Clock,
  ms: number,
  work: () => T | PromiseLike<T>,
  late: L,
  keepAlive = false,
): Promise<T | L> {
  let timer: Timer | undefined;
  const timeout = new Promise<L>((resolve) => {
    timer = clock.after(ms, () => resolve(late), keepAlive);
  });
  try {
    return await Promise.race([work(), timeout]);
  } finally {
    timer?.cancel();
  }
}
