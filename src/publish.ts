// The way of a message in: checked, routed, encoded once, given to every subscription that matches.
import { Dedupe } from './dedupe.js';
import { byCodec, commonCodec, PayloadEncoder } from './encoding.js';
import type { Acceptance, LiveSubscription } from './live-subscription.js';
import { type MessageOptions, NewDeliveries } from './new-deliveries.js';
import type { PublishParts } from './publish-parts.js';
import { deliveryOf } from './remote.js';
import type { Replies } from './replies.js';
import { decodePayload, encodeAs } from './shared/codec.js';
import { type Delivery, inOwnMemory, messageId, ownDelivery } from './shared/delivery.js';
import { show } from './shared/errors.js';
import type { CodecChoice } from './shared/handler.js';
import type { EncodedMessage } from './shared/message.js';
import type { PublishedDetail } from './shared/outcome.js';
import { assertNoDelay, assertPublishOptions, type PublishOptions } from './shared/publish-options.js';
import { notTopic } from './shared/topics.js';
import type { Arrival, Ticket } from './transport/transport.js';

const NO_OPTIONS: PublishOptions = {};
type Subscriptions = readonly LiveSubscription[];
const NOBODY: Subscriptions = [];

/** Belongs to one bus. Runs on the main thread. */
export class Publisher {
  readonly #parts: PublishParts;
  readonly #encoder: PayloadEncoder;
  readonly #deliveries: NewDeliveries;
  /** Payloads up to this size need no second look, in bytes. */
  readonly #largest: number;
  isOpen = false;
  /** Deliveries that were routed. */
  routed = 0;
  readonly dedupe: Dedupe;
  /** Messages that nobody had subscribed to. */
  unrouted = 0;

  constructor(parts: PublishParts) {
    this.#parts = parts;
    this.#encoder = new PayloadEncoder(parts.settler, parts.notes);
    this.#deliveries = new NewDeliveries(parts.clock, parts.largestInRing, parts.maxMessageBytes);
    this.dedupe = new Dedupe(parts.dedupeWindowMs, parts.clock);
    this.#largest = Math.min(parts.largestInRing, parts.maxMessageBytes);
  }

  /** Never throws. False: not running, malformed, or refused by at least one subscription. */
  publish(topic: string, payload: unknown, options: PublishOptions = NO_OPTIONS): boolean {
    if (!this.isOpen) return false;
    const { router, settler, notes } = this.#parts;
    let problem: unknown;
    try {
      const subscriptions = router.match(topic);
      if (subscriptions !== undefined) {
        if (options !== NO_OPTIONS) assertPublishOptions(options);
        return this.#route(topic, payload, options, subscriptions);
      }
      problem = notTopic(topic);
    } catch (thrown) {
      problem = thrown;
    }
    settler.report(
      notes.incident('publisher', problem, 'encode', {
        topic: typeof topic === 'string' ? topic.slice(0, 256) : show(topic),
      }),
    );
    return false;
  }

  /**
   * A message as it goes to the transport. Its bytes are valid until the next one is encoded.
   *
   * @throws BUSBAR_ENCODING
   */
  outgoing(topic: string, payload: unknown, options: PublishOptions): EncodedMessage {
    return this.#named(this.#deliveries.make(topic, this.#encoder.encode(topic, payload, this.#parts.codec), options));
  }

  /** A message that a handler published: it was checked where it was, and its payload is encoded already. */
  publishEncoded(detail: PublishedDetail, bytes: Uint8Array): boolean {
    const { topic, id, codec, lossy, delayMs } = detail;
    if (this.#parts.remote !== null) {
      const message = this.#named(this.#deliveries.make(topic, { codec, bytes, lossy }, detail));
      return this.#parts.remote.publish(message, 'handler');
    }
    const missing = this.dedupe.missing(topic, id, this.#parts.router.match(topic) ?? []);
    if (missing === null) return true;
    const isPlain = missing.every(({ options }) => options.codec === 'clone');
    const refusedBy = isPlain
      ? this.#deliver(this.#deliveries.make(topic, { codec, bytes, lossy }, detail), missing, delayMs ?? 0)
      : this.#deliverEncoded(topic, decodePayload(codec, bytes), detail, missing);
    return refusedBy.length === 0;
  }

  /** Settles what waits for this subscription and has outlived its time. */
  sweep(subscription: LiveSubscription): void {
    for (const dead of subscription.takeExpired()) this.#parts.settler.expire(subscription, dead);
  }

  /** A message that the transport brought for one subscription. */
  arrive(subscription: LiveSubscription, arrival: Arrival, ticket: Ticket): void {
    const { settler, notes, largestInRing, maxMessageBytes } = this.#parts;
    const delivery = this.arrived(subscription, arrival, ticket);
    const { length } = arrival.bytes;
    if (length > maxMessageBytes) {
      settler.giveUp(subscription, delivery, notes.tooLarge(length, maxMessageBytes), 'not_retryable');
      return;
    }
    subscription.arrive(length > largestInRing ? { ...delivery, bytes: inOwnMemory(delivery.bytes) } : delivery);
  }

  /** The same, for one that must not be handled. */
  arrived(subscription: LiveSubscription, arrival: Arrival, ticket: Ticket): Delivery {
    subscription.routed++;
    this.routed++;
    const delivery = deliveryOf(arrival, this.#deliveries.nextNumber());
    this.#parts.remote?.expect(delivery.number, ticket);
    return delivery;
  }

  /**
   * One delivery to one subscription, whose final verdict comes as a reply.
   *
   * @param replies where it is waited for before the message is on its way
   * @throws BUSBAR_ENCODING
   */
  request(
    subscription: LiveSubscription,
    topic: string,
    payload: unknown,
    options: PublishOptions,
    replies: Replies,
    timeoutMs: number,
  ): Promise<unknown> {
    const deliveries = this.#deliveries;
    const delivery = deliveries.make(topic, encodeAs(subscription.options.codec, payload), options, true);
    const { number } = delivery;
    const reply = replies.wait(number, deliveries.elapsed, timeoutMs);
    try {
      if (this.#give(subscription, delivery, options.delayMs ?? 0)) deliveries.reuse(delivery);
    } catch (thrown) {
      replies.forget(number);
      throw thrown;
    }
    return reply;
  }

  /**
   * As {@link request}, for a message that was accepted once before: limits do not apply.
   *
   * @param wait called with the message's number before the message is on its way
   */
  replay<T>(
    subscription: LiveSubscription,
    topic: string,
    payload: unknown,
    options: PublishOptions,
    wait: (number: number) => T,
  ): T {
    const delivery = this.#deliveries.make(topic, encodeAs(subscription.options.codec, payload), options, true);
    const reply = wait(delivery.number);
    subscription.routed++;
    this.routed++;
    subscription.requeue(ownDelivery(delivery));
    return reply;
  }

  #route(topic: string, payload: unknown, options: PublishOptions, subscriptions: Subscriptions): boolean {
    const { remote } = this.#parts;
    if (remote !== null) {
      assertNoDelay(options.delayMs);
      return remote.publish(this.outgoing(topic, payload, options), 'caller');
    }
    if (subscriptions.length === 0) {
      this.unrouted++;
      return true;
    }
    const { id } = options;
    const missing = id === undefined ? subscriptions : this.dedupe.missing(topic, id, subscriptions);
    if (missing === null) return true;
    const refusedBy = this.#deliverEncoded(topic, payload, options, missing);
    if (id !== undefined && refusedBy.length > 0) this.dedupe.refused(topic, id, refusedBy);
    return refusedBy.length === 0;
  }

  /** Out of the process, a message needs an id of its own. */
  #named(delivery: Delivery): EncodedMessage {
    const named = { ...delivery, id: messageId(delivery, this.#parts.instance) };
    this.#deliveries.reuse(delivery);
    return named;
  }

  /** In the codec of each, encoded once for each codec. Returns those that have refused it. */
  #deliverEncoded(
    topic: string,
    payload: unknown,
    options: MessageOptions,
    subscriptions: Subscriptions,
  ): Subscriptions {
    const number = this.#deliveries.nextNumber();
    const deliver = (codec: CodecChoice, some: Subscriptions): Subscriptions => {
      const encoded = this.#encoder.encode(topic, payload, codec);
      return this.#deliver(this.#deliveries.make(topic, encoded, options, false, number), some, options.delayMs ?? 0);
    };
    const codec = commonCodec(subscriptions);
    if (codec !== undefined) return deliver(codec, subscriptions);
    return [...byCodec(subscriptions)].flatMap(([each, some]) => deliver(each, some));
  }

  /** Returns those that have refused it. */
  #deliver(delivery: Delivery, subscriptions: Subscriptions, delayMs: number): Subscriptions {
    if (subscriptions.length === 0) this.unrouted++;
    let refusedBy = NOBODY;
    let next = delivery;
    for (const subscription of subscriptions) {
      if (this.#give(subscription, next, delayMs)) continue;
      refusedBy = [...refusedBy, subscription];
      next = { ...next };
    }
    this.#deliveries.reuse(next);
    return refusedBy;
  }

  /** True: it was copied, and nobody keeps it. False: refused, and what refused it does. */
  #give(subscription: LiveSubscription, delivery: Delivery, delayMs: number): boolean {
    const { settler, notes } = this.#parts;
    subscription.routed++;
    this.routed++;
    if (subscription.isClosed) {
      settler.giveUp(subscription, delivery, notes.shutdown(delivery), 'shutdown');
      return false;
    }
    const size = delivery.bytes.length;
    if (size > this.#largest) {
      const most = Math.min(this.#parts.maxMessageBytes, subscription.options.maxQueueBytes);
      if (size > most) {
        settler.giveUp(subscription, delivery, notes.tooLarge(size, most), 'not_retryable');
        return false;
      }
    }
    const { isAccepted, evicted, expired } = this.#accept(subscription, delivery, delayMs > 0);
    for (const dead of expired) settler.expire(subscription, dead);
    for (const victim of evicted) settler.overflow(subscription, victim);
    if (!isAccepted) settler.overflow(subscription, delivery);
    else if (delayMs > 0) settler.deliverLater(subscription, ownDelivery(delivery), delayMs);
    return isAccepted;
  }

  /** What cannot be written (headers whose `toJSON` throws, no memory for another ring) was not routed. */
  #accept(subscription: LiveSubscription, delivery: Delivery, isLater: boolean): Acceptance {
    try {
      return subscription.accept(delivery, isLater);
    } catch (thrown) {
      subscription.routed--;
      this.routed--;
      throw thrown;
    }
  }
}
