// Waits for something, but not for ever: what servers do not answer must not keep a process from its end.
import type { Clock } from '../shared/clock.js';

/** Resolves when `work` has settled, however, or after `ms` milliseconds. */
export async function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const late: { cancel?: () => void } = {};
  const latest = new Promise<void>((resume) => {
    const timer = clock.after(ms, resume, true);
    late.cancel = () => timer.cancel();
  });
  await Promise.race([work.catch(() => undefined), latest]);
  late.cancel?.();
}
