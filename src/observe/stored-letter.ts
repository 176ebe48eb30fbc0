// Letters as they come from the logging worker, with their payloads decoded.
import { codecFromName, decodePayload } from '../shared/codec.js';
import type { ReadLetter, StoredLetter } from '../shared/logging-task.js';

/** Bytes that do not decode are kept as they are, and flagged. */
export function storedLetter({ letter, encoded }: ReadLetter): StoredLetter {
  if (encoded === null) return letter;
  const codec = codecFromName(encoded.codec);
  try {
    if (codec !== undefined) {
      return { ...letter, message: { ...letter.message, payload: decodePayload(codec, encoded.bytes) } };
    }
  } catch {
    // Flagged below: what cannot be read by this version may be by another.
  }
  return { ...letter, message: { ...letter.message, payload: encoded.bytes }, undecodable: true };
}
