// How long a round trip takes: after a rest, one after the other, or while others keep coming.
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** The figures of one measurement, in this order, in microseconds. */
export const PERCENTILES = ['p50', 'p99', 'p99.9'] as const;

type Call = () => PromiseLike<unknown>;

/** One call after the other: the receiver has no time to fall asleep. */
export async function busyLatency(call: Call, ms: number): Promise<number[]> {
  const histogram = createHistogram();
  const end = performance.now() + ms;
  while (performance.now() < end) await timed(call, histogram, performance.now());
  return percentilesOf(histogram);
}

/** One call every 2 ms or so: both threads have fallen asleep in between. */
export async function sleepingLatency(call: Call, ms: number): Promise<number[]> {
  const histogram = createHistogram();
  const end = performance.now() + ms;
  while (performance.now() < end) {
    await new Promise((resume) => setTimeout(resume, 2));
    await timed(call, histogram, performance.now());
  }
  return percentilesOf(histogram);
}

/**
 * Calls at a fixed rate, whether the last one has come back or not. Counts from when a call was due: one that had to wait for
 * its turn has waited (what Gil Tene calls coordinated omission would leave that out).
 *
 * @param perSecond calls a second
 */
export async function loadedLatency(call: Call, perSecond: number, ms: number): Promise<number[]> {
  const histogram = createHistogram();
  const gap = 1000 / perSecond;
  const began = performance.now();
  const underWay: Promise<void>[] = [];
  for (let due = began; due - began < ms; ) {
    for (const now = performance.now(); due <= now; due += gap) underWay.push(timed(call, histogram, due));
    await new Promise((resume) => setImmediate(resume));
  }
  await Promise.all(underWay);
  return percentilesOf(histogram);
}

async function timed(call: Call, histogram: RecordableHistogram, since: number): Promise<void> {
  await call();
  histogram.record(Math.max(1, Math.round((performance.now() - since) * 1e6)));
}

function percentilesOf(histogram: RecordableHistogram): number[] {
  return [50, 99, 99.9].map((percentile) => histogram.percentile(percentile) / 1000);
}
