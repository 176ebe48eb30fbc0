// What a feed is given by the partitions of its subscription.
import type { Clock } from '../shared/clock.js';
import type { Connection } from './connection.js';
import type { Lease } from './lease.js';
import type { Names } from './subjects.js';
import type { Intake } from './transport.js';
import type { Batch } from './window.js';

export interface FeedParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly names: Names;
  /** The durable consumer of this partition. */
  readonly consumer: string;
  /** What it is for. */
  readonly subject: string;
  readonly lease: Lease;
  readonly intake: Intake;
  /** Deliveries of this partition that may be unsettled at the same time, and bytes of them. */
  readonly window: Batch;
  /** How long the server waits for an acknowledgement, in milliseconds. */
  readonly ackWaitMs: number;
  /** How long a request for messages lasts, in milliseconds: well below what is left of a trusted lease. */
  readonly pullMs: number;
  /** Deliveries after which a message is quarantined. */
  readonly maxDeliver: number;
  /** True: all that handlers published so far is stored. */
  readonly areHandlersStored: () => boolean;
  /** Calls back once it is. */
  readonly afterHandlers: (then: () => void) => void;
  /** False: what handlers publish waits already, and no more of them shall start. */
  readonly hasRoom: () => boolean;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}
