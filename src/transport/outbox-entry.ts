// A message in the buffer of what is published, until a server has stored it.
import type { Begun } from './in-turn.js';
import type { Outgoing } from './outgoing.js';

export interface Entry extends Outgoing {
  readonly position: number;
  /** Undefined: no handler waits for it. */
  readonly begun: Begun | undefined;
  /** `Clock.elapsed()`; 0: not sent. */
  sentAt: number;
  /** How often the server has said that it knows it, and not where it is stored. */
  unsure: number;
}

/** By this name servers know a message that comes twice. */
export const ID_HEADER = 'Nats-Msg-Id';

/**
 * After so many answers that do not say where it is stored, some 10 s, a message is sent without its id: a leader that has lost the
 * first copy may know the id still, and would answer so for the whole window.
 */
const MOST_UNSURE = 40;

export function entryOf(position: number, begun: Begun | undefined, outgoing: Outgoing): Entry {
  // What a spread is followed by costs microseconds, what it follows does not.
  return { position, begun, sentAt: 0, unsure: 0, ...outgoing };
}

/** False: it was sent as if it were new, so that an answer without a sequence means that nobody has subscribed to it. */
export function isNamed({ unsure }: Entry): boolean {
  return unsure < MOST_UNSURE;
}

/** What it is sent with now. */
export function headerOf(entry: Entry): Outgoing['header'] {
  return isNamed(entry) ? entry.header : entry.header.filter(([name]) => name !== ID_HEADER);
}
