// Dead letters that nobody could write: how many of which subscription, and the ids of the first of them.
import { show } from '../shared/errors.js';
import type { LetterHeader } from '../shared/logging-task.js';

/** Of each subscription. */
const MOST_IDS = 20;
/** Told apart; those that come later are one. A letter that was put into a queue by hand may name any. */
const MOST_SUBSCRIPTIONS = 100;

/** Whose letter it is: what is kept of one that is in the ring. */
export interface LetterName {
  readonly subscription: string;
  readonly id: string;
}

export function nameOf({ subscriber_id: subscriber, pattern, message }: LetterHeader): LetterName {
  return { subscription: subscriber === '' ? pattern : `${pattern}#${subscriber}`, id: message.id };
}

/** Belongs to one letter queue. */
export class LostLetters {
  count = 0;
  readonly #of = new Map<string, { count: number; readonly ids: string[] }>();

  add({ subscription, id }: LetterName): void {
    this.count++;
    const name = this.#of.has(subscription) || this.#of.size < MOST_SUBSCRIPTIONS ? subscription : 'others';
    const known = this.#of.get(name) ?? { count: 0, ids: [] };
    this.#of.set(name, known);
    known.count++;
    if (known.ids.length < MOST_IDS) known.ids.push(id);
  }

  /** A line for each subscription. */
  toString(): string {
    const lines = [...this.#of].map(([name, { count, ids }]) => {
      const more = count > ids.length ? `, and ${count - ids.length} more` : '';
      // An id is its publisher's own, and this goes to a terminal.
      return `${count} of ${name}: ${ids.map(show).join(', ')}${more}`;
    });
    return lines.join('\n');
  }
}
