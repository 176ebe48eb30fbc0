// The memory of a circuit breaker, drawn, and the options that are written into it.
//
//   word 0   STATE      any thread, by compare-and-swap: state, epoch << 3. Each transition makes a new epoch, so the
//                       results of calls that began before it are known to be late, and are ignored
//   word 1   FAILURES   any thread: failures in a row
//   word 2   PROBES     any thread, by compare-and-swap: probes let through, epoch << 8
//   word 3   SUCCESSES  any thread, by compare-and-swap: probes that succeeded, epoch << 8
//   byte 16  OPENED_AT  who opens, before STATE: Clock.elapsed()
//   byte 24  PROBED_AT  who begins a round of probes, before STATE, and who lets one through: Clock.elapsed()
//   word 8   failureThreshold, word 9 halfOpenProbes, bytes 40 recoveryTimeoutMs, 48 halfOpenMaxWaitMs: constant
//   byte 56  the window, where there is one: see breaker-window.ts
import { type BreakerWindowOptions, layWindow, windowBytes } from './breaker-window.js';
import { invalidOption } from './errors.js';
import { assertKnown } from './option-checks.js';

/** Options of a circuit breaker. */
export interface BreakerOptions {
  /** Failures in a row that open it, from 1 to 1 000 000. Default 5. Not together with `window`. */
  readonly failureThreshold?: number;
  /** How long it stays open before probes are let through, in milliseconds, more than 0. Default 60 000. */
  readonly recoveryTimeoutMs?: number;
  /** Calls let through while half open, all of which must succeed to close it, from 1 to 100. Default 1. */
  readonly halfOpenProbes?: number;
  /**
   * A probe that has not come back by then is taken for lost, and another is let through; its result comes too late. In
   * milliseconds, more than 0; longer than any call takes. Default 60 000, or `recoveryTimeoutMs` if that is more.
   */
  readonly halfOpenMaxWaitMs?: number;
  /** Opens on the rate of failed or slow calls instead of failures in a row. A slow probe counts as failed. */
  readonly window?: BreakerWindowOptions;
}

export const STATE = 0;
export const FAILURES = 1;
export const PROBES = 2;
export const SUCCESSES = 3;
export const OPENED_AT = 2;
export const PROBED_AT = 3;
export const THRESHOLD = 8;
export const PROBE_LIMIT = 9;
export const RECOVERY_MS = 5;
export const MAX_WAIT_MS = 6;
/** Bytes of a breaker without a window. */
export const WINDOW_BYTE = 56;

const DEFAULT_MAX_WAIT_MS = 60_000;

/**
 * Memory for a closed breaker.
 *
 * @param whose stands before the names of options in errors, as `breakers.db.`
 * @throws BUSBAR_INVALID_OPTION
 */
export function allocateBreaker(options: BreakerOptions, whose = ''): SharedArrayBuffer {
  assertKnown(`options of ${whose === '' ? 'a breaker' : whose.slice(0, -1)}`, options, BREAKER_OPTIONS);
  const { window } = options;
  if (window !== undefined && options.failureThreshold !== undefined) {
    throw invalidOption(`${whose}failureThreshold`, 'left out where there is a window', options.failureThreshold);
  }
  const memory = new SharedArrayBuffer(WINDOW_BYTE + (window === undefined ? 0 : windowBytes(window, whose)));
  layBreaker(memory, 0, options, whose);
  if (window !== undefined) layWindow(memory, WINDOW_BYTE, window);
  return memory;
}

/**
 * Writes a closed breaker at byte `offset`, before any other thread reads it. Its window is laid by who allocates.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function layBreaker(memory: SharedArrayBuffer, offset: number, options: BreakerOptions, whose = ''): void {
  const { failureThreshold = 5, recoveryTimeoutMs = 60_000, halfOpenProbes = 1 } = options;
  assertCount(`${whose}failureThreshold`, failureThreshold, 1_000_000);
  assertCount(`${whose}halfOpenProbes`, halfOpenProbes, 100);
  assertMs(`${whose}recoveryTimeoutMs`, recoveryTimeoutMs);
  const { halfOpenMaxWaitMs = Math.max(recoveryTimeoutMs, DEFAULT_MAX_WAIT_MS) } = options;
  assertMs(`${whose}halfOpenMaxWaitMs`, halfOpenMaxWaitMs);
  const words = new Int32Array(memory, offset, WINDOW_BYTE / 4);
  words[THRESHOLD] = failureThreshold;
  words[PROBE_LIMIT] = halfOpenProbes;
  const times = new Float64Array(memory, offset, WINDOW_BYTE / 8);
  times[RECOVERY_MS] = recoveryTimeoutMs;
  times[MAX_WAIT_MS] = halfOpenMaxWaitMs;
}

const BREAKER_OPTIONS = ['failureThreshold', 'recoveryTimeoutMs', 'halfOpenProbes', 'halfOpenMaxWaitMs', 'window'];

function assertMs(option: string, value: unknown): void {
  if (typeof value !== 'number' || !(value > 0)) throw invalidOption(option, 'a number of milliseconds > 0', value);
}

function assertCount(option: string, value: unknown, most: number): void {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return;
  throw invalidOption(option, `a whole number from 1 to ${most}`, value);
}
