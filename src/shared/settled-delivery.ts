// How a delivery ended, as tests are told.

/** How a delivery ended. */
export interface SettledDelivery {
  readonly subscriberId: string;
  readonly topic: string;
  /** Of the message. */
  readonly id: string;
  readonly outcome: 'succeeded' | 'deadLettered' | 'dropped';
  /** Why it was given up or dropped; null for a success. */
  readonly reason: string | null;
}
