// How long main waits for the attempts of a lane: its timeout, grown after timeouts and fitted to what handlers really take.
import { createHistogram } from 'node:perf_hooks';
import { type DeadlineRule, timeoutAfter } from '../shared/deadline.js';
import type { Observation } from '../shared/observation.js';

/** Three times the 99th percentile is past the tail of most handlers. */
const TIMES_P99 = 3;
const FEWEST_SAMPLES = 100;
/** Beyond so many samples the old ones are forgotten: handlers change. */
const MOST_SAMPLES = 10_000;
const FIT_EVERY_MS = 1000;
const MOST_MS = 2 ** 31 - 1;

/** Belongs to one lane. Runs on the main thread. */
export class Patience {
  /** Null: the timeout is not fitted to what handlers take. */
  readonly observation: Observation | null;
  readonly #rule: DeadlineRule;
  readonly #graceMs: number;
  #timeoutMs: number;
  #fittedAt = 0;

  /** @param graceMs from the deadline to the end of the thread */
  constructor(rule: DeadlineRule, graceMs: number) {
    this.#rule = rule;
    this.#graceMs = graceMs;
    this.#timeoutMs = rule.timeoutMs;
    this.observation = rule.isObserved
      ? { timeout: new SharedArrayBuffer(4), durations: createHistogram({ lowest: 1, highest: 2 ** 52, figures: 3 }) }
      : null;
    this.#tell();
  }

  /** @param timeouts attempts of this delivery that timed out */
  timeoutMs(timeouts: number): number {
    return timeoutAfter(this.#timeoutMs, timeouts, this.#rule);
  }

  /** True: its thread is to be ended. */
  isOver(ranMs: number, timeouts: number): boolean {
    return ranMs > this.timeoutMs(timeouts) + this.#graceMs;
  }

  /** An attempt took so long, or was ended then. */
  add(ranMs: number): void {
    this.observation?.durations.record(Math.max(1, Math.round(ranMs * 1000)));
  }

  /** Fits the timeout to what was observed, now and then. */
  fit(elapsed: number): void {
    if (this.observation === null || elapsed - this.#fittedAt < FIT_EVERY_MS) return;
    const { durations } = this.observation;
    const { count } = durations;
    if (count < FEWEST_SAMPLES) return;
    this.#fittedAt = elapsed;
    const { minTimeoutMs, maxTimeoutMs } = this.#rule;
    const wanted = (durations.percentile(99) / 1000) * TIMES_P99;
    this.#timeoutMs = Math.ceil(Math.min(maxTimeoutMs, Math.max(minTimeoutMs, wanted)));
    if (count > MOST_SAMPLES) durations.reset();
    this.#tell();
  }

  #tell(): void {
    if (this.observation === null) return;
    Atomics.store(new Int32Array(this.observation.timeout), 0, Math.min(MOST_MS, Math.ceil(this.#timeoutMs)));
  }
}
