// Sends without waiting for replies, never more than a window ahead of the receiver, and tells how many arrived a second.
import { receivedSoFar } from './receive.js';

/** How long the receiver may take for the last window, in milliseconds. */
const PATIENCE_MS = 20_000;

export interface StreamOptions {
  /** Messages under way at most. */
  readonly window: number;
  readonly ms: number;
  /** How many receive each message; each of them counts. Default 1. */
  readonly receivers?: number;
  /**
   * How long the sender sleeps before it looks again whether there is room, in milliseconds, and leaves its core to the handlers.
   * Default 0: it looks again and again.
   */
  readonly restMs?: number;
  /** `performance.timeOrigin + performance.now()` when the last one was received. Default: when the sender sees that all were. */
  readonly endedAt?: () => number;
}

/**
 * Returns messages received per second.
 *
 * @param send sends one; false: it was refused
 * @throws when a message was refused or did not arrive
 */
export async function stream(send: () => boolean, options: StreamOptions): Promise<number> {
  const { window, ms, receivers = 1, restMs = 0, endedAt = () => performance.timeOrigin + performance.now() } = options;
  const before = receivedSoFar();
  const received = (): number => ((receivedSoFar() - before) | 0) / receivers;
  const rest = (): Promise<unknown> =>
    new Promise((resume) => (restMs > 0 ? setTimeout(resume, restMs) : setImmediate(resume)));
  const began = performance.now();
  let sent = 0;
  while (performance.now() - began < ms) {
    for (const until = received() + window; sent < until; sent++) {
      if (!send()) throw new Error(`message ${sent} was refused`);
    }
    await rest();
  }
  while (received() < sent) {
    if (performance.now() - began > ms + PATIENCE_MS) throw new Error(`${sent - received()} of ${sent} did not arrive`);
    await rest();
  }
  return ((sent * receivers) / (endedAt() - performance.timeOrigin - began)) * 1000;
}
