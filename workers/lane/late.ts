// Errors that nobody awaited (from a timer, a floating rejection): pinned to the attempt whose handler started them.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { RingAttempt } from './place.js';

/** Takes late throws while its drain runs. `attempt`: whose handler caused it, if known; it may be of another lane. */
export type LateThrowListener = (thrown: unknown, attempt: RingAttempt | undefined) => void;

const currentAttempt = new AsyncLocalStorage<RingAttempt>();

let listener: LateThrowListener | undefined;
/** Late throws that came while no drain ran, kept for the next one. Bounded: the oldest go first. */
const unheard: { thrown: unknown; attempt: RingAttempt | undefined }[] = [];
const MOST_UNHEARD = 100;

/**
 * Everything that the running handler starts from here on, timers and promises included, belongs to this attempt.
 * Costs about 10 ns.
 */
export function enterAttempt(attempt: RingAttempt): void {
  currentAttempt.enterWith(attempt);
}

/** Whose handler has started what runs now; undefined: not known. */
export function attemptNow(): RingAttempt | undefined {
  return currentAttempt.getStore();
}

/** What runs from here on is no handler's. */
export function leaveAttempts(): void {
  currentAttempt.enterWith(undefined as unknown as RingAttempt);
}

/** Keeps this thread alive through late throws. Call once for each thread. */
export function containLateThrows(): void {
  process.on('uncaughtException', hear);
  process.on('unhandledRejection', hear);
}

/** Sends late throws to `next`, those unheard so far first; undefined: keep them for later. */
export function listenToLateThrows(next: LateThrowListener | undefined): void {
  listener = next;
  if (next === undefined) return;
  for (const { thrown, attempt } of unheard.splice(0)) next(thrown, attempt);
}

function hear(thrown: unknown): void {
  const attempt = currentAttempt.getStore();
  if (listener !== undefined) listener(thrown, attempt);
  else if (unheard.push({ thrown, attempt }) > MOST_UNHEARD) unheard.shift();
}
