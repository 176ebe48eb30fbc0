// What the two halves of a lane share about a timeout that is fitted to what handlers take.
import type { RecordableHistogram } from 'node:perf_hooks';

/** What the two halves of a lane share about an observed timeout. */
export interface Observation {
  /** One word: the timeout now, in milliseconds; written by main. */
  readonly timeout: SharedArrayBuffer;
  /** How long handlers took, in microseconds; written by the lane's thread. */
  readonly durations: RecordableHistogram;
}
