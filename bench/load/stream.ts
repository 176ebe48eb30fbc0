// Sends without waiting for replies, never more than a window ahead of the receiver, and tells how many arrived a second.
import { receivedSoFar } from './receive.js';

/** How long the receiver may take for the last window, in milliseconds. */
const PATIENCE_MS = 20_000;

/**
 * Returns messages received per second.
 *
 * @param send sends one; false: it was refused
 * @throws when a message was refused or did not arrive
 */
export async function stream(send: () => boolean, window: number, ms: number): Promise<number> {
  const before = receivedSoFar();
  const received = (): number => (receivedSoFar() - before) | 0;
  const began = performance.now();
  let sent = 0;
  while (performance.now() - began < ms) {
    for (const until = received() + window; sent < until; sent++) {
      if (!send()) throw new Error(`message ${sent} was refused`);
    }
    await new Promise((resume) => setImmediate(resume));
  }
  while (received() < sent) {
    if (performance.now() - began > ms + PATIENCE_MS) throw new Error(`${sent - received()} of ${sent} did not arrive`);
    await new Promise((resume) => setImmediate(resume));
  }
  return (sent / (performance.now() - began)) * 1000;
}
