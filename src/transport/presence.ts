// What of a partition is here: what came, and is neither settled nor forgotten by the servers.
import type { Presence } from './claim.js';
import type { Brought, Delivered } from './delivered.js';
import type { Unsettled } from './unsettled.js';

/** What is here, as one who hears from the servers has to know it: they may have given a sequence to another message. */
export interface Here extends Presence {
  /** This very message. */
  isSame(delivery: Delivered): boolean;
}

interface BySequence {
  get(sequence: number): Unsettled | undefined;
  values(): Iterable<Unsettled>;
}

/** @param inDoubt by sequence: what came, and waits until it may start */
export function hereOf(unsettled: BySequence, inDoubt: ReadonlyMap<number, Brought>): Here {
  return {
    has: (sequence) => (unsettled.get(sequence)?.trust ?? 'forgotten') !== 'forgotten' || inDoubt.has(sequence),
    isSame: ({ sequence, stamp }) =>
      unsettled.get(sequence)?.stamp === stamp || inDoubt.get(sequence)?.delivery.stamp === stamp,
    countUpTo: (sequence) => {
      let count = upTo(sequence, inDoubt);
      for (const entry of unsettled.values()) if (entry.sequence <= sequence && entry.trust !== 'forgotten') count++;
      return count;
    },
  };
}

/** How many of these sequences there are up to that one. */
export function upTo(sequence: number, map: ReadonlyMap<number, unknown>): number {
  let count = 0;
  for (const one of map.keys()) if (one <= sequence) count++;
  return count;
}
