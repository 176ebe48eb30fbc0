// Joins a bus to its transport: what it brings becomes deliveries, and what became of them is told to it.

import type { LiveSubscription } from './live-subscription.js';
import type { CircuitState } from './shared/breaker.js';
import { ByNumber } from './shared/by-number.js';
import type { Delivery } from './shared/delivery.js';
import type { EncodedMessage } from './shared/message.js';
import type {
  Arrival,
  OnStored,
  Origin,
  Settlement,
  Ticket,
  Transport,
  TransportHost,
  TransportMaker,
} from './transport/transport.js';

/** Belongs to one bus whose messages leave the process. Runs on the main thread. */
export class Remote {
  readonly #tickets = new ByNumber<Ticket>();
  /** Set from start to stop. */
  transport: Transport | undefined;

  /** @throws what the transport says */
  async connect(maker: TransportMaker | null, host: TransportHost): Promise<void> {
    this.transport = await maker?.start(host);
  }

  publish(message: EncodedMessage, origin: Origin, onStored?: OnStored): boolean {
    return this.transport?.publish(message, origin, onStored) ?? false;
  }

  /** A delivery with this number is on its way for the transport. */
  expect(number: number, ticket: Ticket): void {
    this.#tickets.add(number, ticket);
  }

  /** Dead letters on their way to the servers. */
  get unstoredLetters(): number {
    return this.transport?.health().unstoredLetters ?? 0;
  }

  /** The state of the transport's breaker, by its name. */
  breakers(): Record<string, CircuitState> {
    if (this.transport === undefined) return {};
    const { name, breaker } = this.transport.health();
    return { [name]: breaker };
  }

  /** A delivery is settled. One that the transport did not bring does not concern it. */
  settled(number: number, settlement: Settlement): void {
    const ticket = this.#tickets.get(number);
    if (ticket === undefined) return;
    this.#tickets.delete(number);
    ticket.settle(settlement);
  }

  /** True: the transport brought it, and it is not settled. */
  isHolding(number: number): boolean {
    return this.#tickets.has(number);
  }

  /** True: the transport brought it with one of these tickets. */
  isHeldBy({ number }: Delivery, tickets: ReadonlySet<Ticket>): boolean {
    const ticket = this.#tickets.get(number);
    return ticket !== undefined && tickets.has(ticket);
  }

  /** Gives a delivery back that this process will not settle. False: the transport did not bring it. */
  release(subscription: LiveSubscription, { number, started }: Delivery): boolean {
    const ticket = this.#tickets.get(number);
    if (ticket === undefined) return false;
    this.#tickets.delete(number);
    subscription.routed--;
    subscription.trails.end(number);
    ticket.release(started);
    return true;
  }
}

/** Field by field, in the order in which a publisher makes one: a spread of as many costs microseconds. */
export function deliveryOf(arrival: Arrival, number: number): Delivery {
  return {
    number,
    id: arrival.id,
    topic: arrival.topic,
    key: arrival.key,
    priority: arrival.priority,
    headers: arrival.headers,
    publishedAt: arrival.publishedAt,
    expiresAt: arrival.expiresAt,
    codec: arrival.codec,
    bytes: arrival.bytes,
    lossy: arrival.lossy,
    wantsReply: false,
    started: arrival.started,
    failed: 0,
    kills: 0,
    timeouts: 0,
  };
}
