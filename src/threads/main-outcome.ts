// An outcome of a plain function's attempt, in the form in which a worker's come.
import type { DetailedOutcome, OutcomeDetails, ReadOutcome } from '../shared/outcome.js';

const NOWHERE = { place: 0, sequence: 0, isPastOthers: false };

export function outcome<K extends DetailedOutcome>(
  { kind, detail }: { kind: K; detail: OutcomeDetails[K] },
  bytes: Uint8Array = new Uint8Array(0),
): ReadOutcome {
  return { kind, address: NOWHERE, detail, bytes, bodyOffset: 0 } as ReadOutcome;
}
