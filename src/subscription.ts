// A subscription as its maker holds it.

/** A subscription as its maker sees it. */
export interface Subscription {
  readonly subscriberId: string;
  readonly pattern: string;
  /** Lets what runs end, and starts nothing more; messages wait. */
  pause(): void;
  /** Takes `pause` back. */
  resume(): void;
  /**
   * Takes no more messages, waits for those it has (a pause ends here), and is gone. With `drain: false`, also while another
   * call waits, those that wait are dead-lettered at once with the reason `shutdown`. False: it is gone, or going, already.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  unsubscribe(options?: { readonly drain?: boolean }): Promise<boolean>;
}
