// Which delivery gives way to a newcomer when a queue is full.
import type { Overflow } from './options.js';
import { type Delivery, priorityNumber } from './shared/delivery.js';
import { PRIORITIES } from './shared/message.js';
import type { AnyLane } from './threads/threads.js';

/**
 * Takes out the oldest delivery of the lowest priority that waits on main, if it may give way; what a ring holds never
 * does. Never one of a higher priority than the newcomer's.
 */
export function evictFor(
  newcomer: Delivery,
  lanes: readonly AnyLane[],
  overflow: Overflow | undefined,
): Delivery | undefined {
  const places = lanes.flatMap(({ backlog, parking }) => [backlog, parking]);
  for (const priority of PRIORITIES.slice(0, prioritiesThatYield(newcomer, overflow))) {
    const waiting = places.flatMap((place) => {
      const delivery = place.oldest(priority);
      return delivery === undefined ? [] : [{ place, delivery }];
    });
    const [victim] = waiting.sort((a, b) => a.delivery.number - b.delivery.number);
    if (victim === undefined) continue;
    victim.place.take(victim.delivery);
    return victim.delivery;
  }
  return undefined;
}

/** How many of the lowest priorities give way. */
function prioritiesThatYield(newcomer: Delivery, overflow: Overflow | undefined): number {
  const below = priorityNumber(newcomer);
  switch (overflow) {
    case undefined:
      return Math.min(below, 1);
    case 'drop-low':
      return below;
    case 'drop-oldest':
      return below + 1;
    default:
      return 0;
  }
}
