// The window of a circuit breaker: how many of the last calls failed or were slow, counted by all threads together.
//
// It lies in the breaker's memory, from byte `offset` on:
//
//   doubles 0-4  MINIMUM_CALLS, FAILURE_RATE, SLOW_CALL_MS, SLOW_CALL_RATE, SLICE_MS (0: by calls): constant
//   words 10-    by calls: CURSOR, then the sums CALLS FAILED SLOW, then one byte for each of the last calls.
//                A byte is exchanged, and who takes the old result out subtracts it: the sums are exact
//                by time: 64-bit counters CALLS FAILED SLOW for each of 10 slices, each with the slice's tag in its upper
//                half. A counter counts only while its tag names the slice's time, so that nothing has to be rotated, however
//                long nobody calls; tag and count change as one, so that no result is lost when a slice begins
//
// All words: any thread, atomically.
import type { Clock } from './clock.js';
import { invalidOption } from './errors.js';
import { assertKnown } from './option-checks.js';
import { IS_LITTLE_ENDIAN } from './views.js';

/** Opens a breaker on rates, over the last calls or over the last milliseconds. Give either `calls` or `ms`. */
export interface BreakerWindowOptions {
  /** How many of the last calls are judged, from 1 to 10 000. */
  readonly calls?: number;
  /** The calls of how many milliseconds are judged, from 100 to 3 600 000; old ones leave a tenth of it at a time. */
  readonly ms?: number;
  /** Below this many calls nothing is judged, from 1 to 1 000 000, and at most `calls`. Default 20, or `calls` if less. */
  readonly minimumCalls?: number;
  /** Opens when this share of the calls failed, more than 0 and at most 1. Default 0.5. */
  readonly failureRate?: number;
  /** Calls that take longer, in milliseconds, are slow. More than 0. Default: none is. */
  readonly slowCallMs?: number;
  /** Opens when this share of the calls was slow, more than 0 and at most 1. Default 1. */
  readonly slowCallRate?: number;
}

const MINIMUM_CALLS = 0;
const FAILURE_RATE = 1;
const SLOW_CALL_MS = 2;
const SLOW_CALL_RATE = 3;
const SLICE_MS = 4;
const DOUBLES = 5;

const CURSOR = 0;
const CALLS = 1;
const FAILED = 2;
const SLOW = 3;
const WORDS = 4;
const SLICES = 10;
/** By time: CALLS FAILED SLOW of each slice, from here on. */
const COUNTERS = 3;
/** The half of a 64-bit counter that counts, as a word; the tag is the other. */
const COUNT = IS_LITTLE_ENDIAN ? 0 : 1;
const TAG = 1 - COUNT;
/** A counter that is ahead of a thread's clock by more slices is an old one: tags come round. */
const LATEST = 1000;

const IS_HELD = 1;
const HAS_FAILED = 2;
const WAS_SLOW = 4;

const MOST_CALLS = 10_000;
const DEFAULT_MINIMUM_CALLS = 20;

/**
 * How many bytes a window needs.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function windowBytes(options: BreakerWindowOptions, whose = ''): number {
  const name = `${whose}window`;
  if (typeof options !== 'object' || options === null) throw invalidOption(name, 'an object', options);
  assertKnown(name, options, ['calls', 'ms', 'minimumCalls', 'failureRate', 'slowCallMs', 'slowCallRate']);
  const { calls, ms } = options;
  if ((calls === undefined) === (ms === undefined)) throw invalidOption(name, 'of either calls or ms', options);
  if (calls !== undefined) assertRange(`${name}.calls`, calls, 1, MOST_CALLS, true);
  if (ms !== undefined) assertRange(`${name}.ms`, ms, 100, 3_600_000, false);
  assertRange(`${name}.minimumCalls`, minimumOf(options), 1, calls ?? 1_000_000, true);
  for (const rate of ['failureRate', 'slowCallRate'] as const) {
    assertRange(`${name}.${rate}`, options[rate] ?? 1, Number.MIN_VALUE, 1, false);
  }
  assertRange(`${name}.slowCallMs`, options.slowCallMs ?? 1, Number.MIN_VALUE, Number.MAX_VALUE, false);
  return DOUBLES * 8 + (calls === undefined ? SLICES * COUNTERS * 8 : WORDS * 4 + calls);
}

/** Writes the constants, before any thread reads them. The options are those that {@link windowBytes} accepted. */
export function layWindow(memory: SharedArrayBuffer, offset: number, options: BreakerWindowOptions): void {
  const doubles = new Float64Array(memory, offset, DOUBLES);
  doubles[MINIMUM_CALLS] = minimumOf(options);
  doubles[FAILURE_RATE] = options.failureRate ?? 0.5;
  doubles[SLOW_CALL_MS] = options.slowCallMs ?? Number.POSITIVE_INFINITY;
  doubles[SLOW_CALL_RATE] = options.slowCallRate ?? 1;
  doubles[SLICE_MS] = options.ms === undefined ? 0 : options.ms / SLICES;
}

/** One thread's half of a window. Runs on any thread. */
export class ResultWindow {
  /** Calls that take longer are slow, in milliseconds; Infinity: none is. */
  readonly slowCallMs: number;
  readonly #minimumCalls: number;
  readonly #failureRate: number;
  readonly #slowCallRate: number;
  /** 0: by calls. */
  readonly #sliceMs: number;
  readonly #words: Int32Array;
  readonly #results: Uint8Array;
  readonly #counters: BigInt64Array;
  readonly #clock: Clock;

  constructor(memory: SharedArrayBuffer, offset: number, clock: Clock) {
    const doubles = new Float64Array(memory, offset, DOUBLES);
    this.#minimumCalls = doubles[MINIMUM_CALLS] as number;
    this.#failureRate = doubles[FAILURE_RATE] as number;
    this.slowCallMs = doubles[SLOW_CALL_MS] as number;
    this.#slowCallRate = doubles[SLOW_CALL_RATE] as number;
    this.#sliceMs = doubles[SLICE_MS] as number;
    const words = offset + DOUBLES * 8;
    const counters = this.#sliceMs === 0 ? 0 : SLICES * COUNTERS;
    this.#words = new Int32Array(memory, words, Math.max(WORDS, counters * 2));
    this.#results = new Uint8Array(memory, words + WORDS * 4);
    this.#counters = new BigInt64Array(memory, words, counters);
    this.#clock = clock;
  }

  /** Counts one call. True: too many of the window's calls failed, or were slow. */
  add(hasFailed: boolean, wasSlow: boolean): boolean {
    if (this.#sliceMs > 0) return this.#addToSlice(hasFailed, wasSlow);
    const place = (Atomics.add(this.#words, CURSOR, 1) >>> 0) % this.#results.length;
    this.#replace(place, IS_HELD | (hasFailed ? HAS_FAILED : 0) | (wasSlow ? WAS_SLOW : 0));
    return this.#isTooMany(this.#load(CALLS), this.#load(FAILED), this.#load(SLOW));
  }

  /** Forgets every call. */
  clear(): void {
    if (this.#sliceMs > 0) {
      for (let index = 0; index < this.#counters.length; index++) Atomics.store(this.#counters, index, 0n);
    } else {
      for (let place = 0; place < this.#results.length; place++) this.#replace(place, 0);
    }
  }

  #replace(place: number, result: number): void {
    const old = Atomics.exchange(this.#results, place, result);
    this.#change(CALLS, (result & IS_HELD) - (old & IS_HELD));
    this.#change(FAILED, ((result & HAS_FAILED) - (old & HAS_FAILED)) / HAS_FAILED);
    this.#change(SLOW, ((result & WAS_SLOW) - (old & WAS_SLOW)) / WAS_SLOW);
  }

  #addToSlice(hasFailed: boolean, wasSlow: boolean): boolean {
    const now = Math.floor(this.#clock.elapsed() / this.#sliceMs);
    this.#count(now, CALLS);
    if (hasFailed) this.#count(now, FAILED);
    if (wasSlow) this.#count(now, SLOW);
    return this.#isTooMany(this.#sum(now, CALLS), this.#sum(now, FAILED), this.#sum(now, SLOW));
  }

  #count(slice: number, which: number): void {
    const index = indexOf(slice, which);
    while (!this.#isOf(slice, index)) {
      const old = Atomics.load(this.#counters, index);
      const ahead = (Number(old >> 32n) - tagOf(slice)) | 0;
      // This thread stood still for a whole window: it counts for the slice that has begun meanwhile.
      if (old !== 0n && ahead >= 0 && ahead <= LATEST) break;
      const first = (BigInt(tagOf(slice)) << 32n) | 1n;
      if (Atomics.compareExchange(this.#counters, index, old, first) === old) return;
    }
    this.#change(index * 2 + COUNT, 1);
  }

  /** Plain looks, for atomic ones cost 15 ns each: a result of this very moment may be seen by the next call only. */
  #sum(now: number, which: number): number {
    let sum = 0;
    for (let slice = now; slice > now - SLICES && slice >= 0; slice--) {
      const index = indexOf(slice, which);
      if (this.#isOf(slice, index)) sum += this.#words[index * 2 + COUNT] as number;
    }
    return sum;
  }

  #isOf(slice: number, index: number): boolean {
    return this.#words[index * 2 + TAG] === tagOf(slice);
  }

  #isTooMany(calls: number, failed: number, slow: number): boolean {
    if (calls < this.#minimumCalls) return false;
    return failed / calls >= this.#failureRate || slow / calls >= this.#slowCallRate;
  }

  #load(word: number): number {
    return Atomics.load(this.#words, word);
  }

  #change(word: number, by: number): void {
    if (by !== 0) Atomics.add(this.#words, word, by);
  }
}

function indexOf(slice: number, which: number): number {
  return (slice % SLICES) * COUNTERS + which - CALLS;
}

/** The slice's lower 32 bits. */
function tagOf(slice: number): number {
  return slice | 0;
}

function minimumOf({ calls, minimumCalls }: BreakerWindowOptions): number {
  return minimumCalls ?? Math.min(DEFAULT_MINIMUM_CALLS, calls ?? DEFAULT_MINIMUM_CALLS);
}

function assertRange(option: string, value: unknown, least: number, most: number, isWhole: boolean): void {
  if (typeof value === 'number' && value >= least && value <= most && (!isWhole || Number.isInteger(value))) return;
  const range = least === Number.MIN_VALUE ? 'more than 0' : `from ${least} to ${most}`;
  const atMost = least === Number.MIN_VALUE && most !== Number.MAX_VALUE ? ` and at most ${most}` : '';
  throw invalidOption(option, `a ${isWhole ? 'whole ' : ''}number ${range}${atMost}`, value);
}
