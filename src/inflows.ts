// What a transport brings to the subscriptions of a bus: opened, paused and closed with them. In memory there is none.
import type { RetrySchedule } from './failure/retries.js';
import type { LiveSubscription } from './live-subscription.js';
import type { Publisher } from './publish.js';
import type { Remote } from './remote.js';
import type { Settler } from './settle.js';
import type { Retry } from './settle-parts.js';
import type { Delivery } from './shared/delivery.js';
import { assertPublishOptions } from './shared/publish-options.js';
import { assertTopic } from './shared/topics.js';
import type { Arrival, Inflow, Intake, Ticket } from './transport/transport.js';

export interface InflowParts {
  readonly remote: Remote | null;
  readonly publisher: Publisher;
  readonly settler: Settler;
  readonly retries: RetrySchedule<Retry>;
}

/** Belongs to one bus. Runs on the main thread. */
export class Inflows {
  readonly #parts: InflowParts;
  readonly #open = new Map<LiveSubscription, Inflow>();

  constructor(parts: InflowParts) {
    this.#parts = parts;
  }

  /** @throws what the transport says */
  async open(subscription: LiveSubscription): Promise<void> {
    const { remote } = this.#parts;
    if (remote?.transport === undefined) return;
    const inflow = await remote.transport.subscribe(intakeOf(subscription, this.#parts, remote));
    this.#open.set(subscription, inflow);
  }

  /** Nothing more comes, and nothing is on its way. */
  async pause(subscription: LiveSubscription): Promise<void> {
    await this.#open.get(subscription)?.pause();
  }

  async pauseAll(): Promise<void> {
    await Promise.all([...this.#open.values()].map((inflow) => inflow.pause()));
  }

  /** Other processes may have its messages now. */
  async close(subscription: LiveSubscription): Promise<void> {
    const inflow = this.#open.get(subscription);
    this.#open.delete(subscription);
    await inflow?.close();
  }

  /** True when all that was published here is stored, and nothing waits anywhere for these subscriptions. */
  async areDry(): Promise<boolean> {
    const transport = this.#parts.remote?.transport;
    if (transport === undefined) return true;
    if (transport.unstored > 0) return false;
    // Without an answer it is not known: not yet.
    const answers = [...this.#open.values()].map((inflow) => inflow.isDry().catch(() => false));
    return (await Promise.all(answers)).every((isDry) => isDry);
  }
}

/** Where a subscription takes in what the transport brings. */
function intakeOf(subscription: LiveSubscription, parts: InflowParts, remote: Remote): Intake {
  const { publisher, settler, retries } = parts;
  const { pattern, subscriberId, options } = subscription;
  const giveUp: Intake['giveUp'] = (arrival, ticket, reason, thrown) => {
    settler.refuse(subscription, publisher.arrived(subscription, arrival, ticket), reason, thrown);
  };
  // What failed is tried again here, where its attempts are counted.
  const isOneOf = (delivery: Delivery, tickets: ReadonlySet<Ticket>): boolean =>
    delivery.failed === 0 && remote.isHeldBy(delivery, tickets);
  const takePutOff = (tickets: ReadonlySet<Ticket>): Delivery[] => {
    const isPutOff = (retry: Retry): boolean => retry.subscription === subscription && isOneOf(retry.delivery, tickets);
    const taken = retries.takeWhere(isPutOff).map(({ delivery }) => delivery);
    for (const delivery of taken) subscription.endsWaiting(delivery);
    return taken;
  };
  return {
    pattern,
    subscriberId,
    room: options.maxQueueSize,
    roomBytes: options.maxQueueBytes,
    take: (arrival, ticket) => {
      const problem = problemOf(arrival);
      if (subscription.isClosed) ticket.release(arrival.started);
      else if (problem !== undefined) giveUp(arrival, ticket, 'not_retryable', problem);
      else publisher.arrive(subscription, arrival, ticket);
    },
    giveUp,
    giveBack: async (tickets) => {
      const isWanted = (delivery: Delivery): boolean => isOneOf(delivery, tickets);
      const taken = await subscription.takeWaiting(isWanted, () => takePutOff(tickets));
      for (const delivery of taken) remote.release(subscription, delivery);
    },
    giveBackPutOff: (tickets) => {
      if (tickets.size === 0) return;
      for (const delivery of takePutOff(tickets)) {
        subscription.release(delivery.number);
        remote.release(subscription, delivery);
      }
    },
  };
}

/** No text of this length is too long. */
const SURELY_SHORT = 256;

/** What keeps a message out of a ring: who sent it may know other limits than ours. */
function problemOf({ topic, id, key, headers }: Arrival): unknown {
  const areShort = topic.length <= SURELY_SHORT && id.length <= SURELY_SHORT;
  if (areShort && headers === null && (key === null || key.length <= SURELY_SHORT)) return undefined;
  try {
    assertTopic(topic);
    const texts = { ...(id === '' ? {} : { id }), ...(key === null ? {} : { key }) };
    assertPublishOptions(headers === null ? texts : { ...texts, headers });
    return undefined;
  } catch (problem) {
    return problem;
  }
}
