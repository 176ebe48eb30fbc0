// What a message went through before it came here, and what is noted of it when it goes on to another process.
import type { Brought } from './delivered.js';
import type { Returned } from './lease.js';
import { wasSentAgain } from './wire.js';

export interface Past {
  /** Deliveries to processes that vanished with it. */
  readonly vanished: number;
  /** Attempts that may have been started, those that vanished among them. */
  readonly started: number;
}

/**
 * @param notes by sequence: what is noted of it
 * @param highest the highest sequence that may have been started
 */
export function pastOf(
  { delivery: { sequence, count }, data }: Brought,
  notes: ReadonlyMap<number, Returned>,
  highest: number,
): Past {
  const returned = notes.get(sequence);
  const vanished = Math.max(0, count - 1 - (returned?.deliveries ?? 0));
  // A server that was killed may have forgotten that it delivered this before, or that it stored it before.
  const mayHaveStarted = returned === undefined ? sequence <= highest : returned.mayHaveStarted;
  const mayBeRepeated = mayHaveStarted || wasSentAgain(data);
  return { vanished, started: Math.max(vanished + (returned?.started ?? 0), mayBeRepeated ? 1 : 0) };
}

/** Whoever has it next adds those that vanished again. @param deliveries times that the server delivered it */
export function returnedOf(deliveries: number, { vanished, started }: Past): Returned {
  return { deliveries: deliveries - vanished, started: started - vanished, mayHaveStarted: started > 0 };
}
