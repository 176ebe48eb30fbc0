// What publishing needs of the rest of the bus.
import type { FailureNotes } from './failure-notes.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Remote } from './remote.js';
import type { Router } from './routing/router.js';
import type { Settler } from './settle.js';
import type { Clock } from './shared/clock.js';
import type { CodecChoice } from './shared/handler.js';

export interface PublishParts {
  readonly clock: Clock;
  readonly router: Router<LiveSubscription>;
  readonly settler: Settler;
  readonly notes: FailureNotes;
  /** The largest payload that goes through a ring, and the largest of all, in bytes. */
  readonly largestInRing: number;
  readonly maxMessageBytes: number;
  /** Begins the ids of this bus's messages. */
  readonly instance: string;
  /** Null: all is in memory. */
  readonly remote: Remote | null;
  /** See `MessageBusOptions`. */
  readonly dedupeWindowMs: number;
  /** Of what goes to the transport. */
  readonly codec: CodecChoice;
}
