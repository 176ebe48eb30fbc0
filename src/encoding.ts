// Encodes what is published, in the codec that is asked for; what that cannot take goes on as far as it can, flagged.
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Settler } from './settle.js';
import { type Encoded, encodeAs, encodeLossy, encodePayload } from './shared/codec.js';
import type { CodecChoice } from './shared/handler.js';

/** Belongs to one bus. Runs on the main thread. */
export class PayloadEncoder {
  readonly #settler: Settler;
  readonly #notes: FailureNotes;

  constructor(settler: Settler, notes: FailureNotes) {
    this.#settler = settler;
    this.#notes = notes;
  }

  /** Never throws: what fails is reported. */
  encode(topic: string, payload: unknown, codec: CodecChoice): Encoded {
    try {
      return encodeAs(codec, payload);
    } catch (thrown) {
      const fallback = codec === 'clone' ? 'lossy' : 'clone';
      const report = this.#notes.incident('publisher', thrown, 'encode', { topic, fallback });
      this.#settler.report({ ...report, recovery_attempted: true, recovery_successful: true });
      return codec === 'clone' ? encodeLossy(payload) : cloned(payload);
    }
  }
}

/** Whole, but not as the codec would have it. */
function cloned(payload: unknown): Encoded {
  try {
    return { ...encodePayload(payload), lossy: true };
  } catch {
    // The report tells of the codec, which was asked first.
    return encodeLossy(payload);
  }
}

/** The codec that all of these ask for; undefined: they differ, or there are none. Asked for each message. */
export function commonCodec(subscriptions: readonly LiveSubscription[]): CodecChoice | undefined {
  const codec = subscriptions[0]?.options.codec;
  for (const { options } of subscriptions) if (options.codec !== codec) return undefined;
  return codec;
}

/** Those that ask for the same codec together. */
export function byCodec(
  subscriptions: readonly LiveSubscription[],
): ReadonlyMap<CodecChoice, readonly LiveSubscription[]> {
  const groups = new Map<CodecChoice, LiveSubscription[]>();
  for (const subscription of subscriptions) {
    const { codec } = subscription.options;
    groups.set(codec, [...(groups.get(codec) ?? []), subscription]);
  }
  return groups;
}
