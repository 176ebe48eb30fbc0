// The id of a dead letter that several processes may write: the same for the same message and subscription.
import { createHash } from 'node:crypto';
import type { LetterHeader } from './logging-task.js';

const CHARACTERS = 21;

/** The letter with an id made from what it is about: written twice, it is one letter. A message that has the id of an older one is another. */
export function withStableId(letter: LetterHeader): LetterHeader {
  const { pattern, subscriber_id, topic, message } = letter;
  const about = JSON.stringify([pattern, subscriber_id, topic, message.id, message.published_at]);
  return { ...letter, error_id: createHash('sha256').update(about).digest('base64url').slice(0, CHARACTERS) };
}
