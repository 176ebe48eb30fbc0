// Gives a dead letter's message back to the subscription that failed.
import type { LiveSubscription } from './live-subscription.js';
import type { ReplayOutcome } from './observe/replay.js';
import type { Publisher } from './publish.js';
import type { Replays } from './replays.js';
import { type Replies, UnreadableReply } from './replies.js';
import type { StoredLetter } from './shared/logging-task.js';

export interface RepublishParts {
  readonly publisher: Publisher;
  readonly replies: Replies;
  readonly replays: Replays;
}

/** Resolves with what came of it. Runs on the main thread. */
export function republish(
  letter: StoredLetter,
  subscription: LiveSubscription,
  { publisher, replies, replays }: RepublishParts,
): Promise<ReplayOutcome> {
  const { id, topic, payload, key, priority, headers } = letter.message;
  const options = {
    id: `${id}/replay/${letter.replays}`,
    priority,
    ...(key === null ? {} : { key }),
    ...(headers === null ? {} : { headers }),
  };
  let number = -1;
  const reply = publisher.replay(subscription, topic, payload, options, (its) => {
    number = its;
    replays.begin(its);
    return replies.wait(its);
  });
  return reply.then(
    (): ReplayOutcome => {
      replays.end(number);
      return { kind: 'succeeded' };
    },
    (thrown: unknown): ReplayOutcome => {
      const end = replays.end(number);
      if (end === 'handled' || thrown instanceof UnreadableReply) return { kind: 'succeeded' };
      // Its letter goes only when the handler is known to be done with it.
      return end === null ? { kind: 'not-tried' } : { kind: 'failed', failure: end };
    },
  );
}
