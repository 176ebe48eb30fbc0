// What busbar/testing plugs into a bus; a bus in production has none, and pays nothing.
import type { Delivery } from './delivery.js';
import type { LaneTesting } from './fault-plan.js';
import type { SettledDelivery } from './settled-delivery.js';

/** The key of an option that only busbar/testing can give. */
export const TEST_HOOKS = Symbol('busbar.testHooks');

/** A subscription, as far as a test may look at it and tamper with it. */
export interface TestedSubscription {
  readonly subscriberId: string;
  readonly options: { readonly graceMs: number };
  readonly lanes: readonly {
    readonly state: string;
    readonly unsettled: number;
    readonly inFlight: number;
    readonly parking: { readonly size: number };
  }[];
  readonly settling: number;
  accept(delivery: Delivery, isLater?: boolean): unknown;
}

export interface TestHooks {
  /** Begins the ids of messages. */
  readonly instance: string;
  /** See `DiskFaults`. */
  readonly disk: SharedArrayBuffer;
  /** Before its lanes are made. */
  subscribed(subscription: TestedSubscription): void;
  /** Once for each lane on a worker, in their order. */
  laneTesting(subscription: TestedSubscription): LaneTesting;
  settled(delivery: SettledDelivery): void;
}
