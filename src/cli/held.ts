// Says, while a replay is waited for, which subscriptions hold messages back: it would stand still in silence.

import { systemClock, type Timer } from '../shared/clock.js';
import type { SubscriptionHealth } from '../shared/health-status.js';
import { nameOf } from './health-view.js';
import { LiveBus } from './live-bus.js';
import { note, safe, safeJson } from './terminal.js';

const LOOK_MS = 1000;

/** Looks once a second until it is cancelled, over a connection of its own: the replay's answers nothing until it is done. */
export function tellOfHeld(folder: string, isJson: boolean): Timer {
  const told = new Set<string>();
  const look = async (): Promise<void> => {
    const bus = await LiveBus.connect(folder);
    if (bus === undefined) return;
    const { health } = await bus.ask({ ask: 'health' });
    await bus.close();
    for (const subscription of health.subscriptions) {
      if (!(subscription.held || subscription.paused) || subscription.pending === 0 || told.has(nameOf(subscription)))
        continue;
      told.add(nameOf(subscription));
      note(isJson ? safeJson({ held: subscription }) : safe(wordsFor(subscription)));
    }
  };
  // What is wrong with the bus, the replay itself will tell.
  return systemClock.every(LOOK_MS, () => void look().catch(() => undefined));
}

function wordsFor({ subscriberId, pattern, pending, breaker, paused }: SubscriptionHealth): string {
  if (paused) return `${subscriberId} on ${pattern} is paused by its program, and ${pending} messages wait`;
  const isOpen = breaker !== null && breaker !== 'closed' && breaker !== 'disabled';
  const why = isOpen
    ? `its breaker is ${breaker}; to close it: busbar breaker reset ${JSON.stringify(subscriberId)}`
    : 'its threads keep dying';
  return `${subscriberId} on ${pattern} is held, and ${pending} messages wait: ${why}`;
}
