// The way of a message in: checked, routed, encoded once, given to every subscription that matches.
import { Dedupe } from './dedupe.js';
import { byCodec, commonCodec, PayloadEncoder } from './encoding.js';
import { Instant } from './instant.js';
import type { Acceptance, LiveSubscription } from './live-subscription.js';
import type { PublishParts } from './publish-parts.js';
import { deliveryOf } from './remote.js';
import type { Replies } from './replies.js';
import { decodePayload, type Encoded, encodeAs } from './shared/codec.js';
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
  readonly #instant: Instant;
  /** Payloads up to this size need no second look, in bytes. */
  readonly #largest: number;
  isOpen = false;
  #numbers = 0;
  /** Deliveries that were routed. */
  routed = 0;
  readonly dedupe: Dedupe;
  /** Messages that nobody had subscribed to. */
  unrouted = 0;

  constructor(parts: PublishParts) {
    this.#parts = parts;
    this.#encoder = new PayloadEncoder(parts.settler, parts.notes);
    this.#instant = new Instant(parts.clock);
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
    return this.#named(this.#delivery(topic, this.#encoder.encode(topic, payload, this.#parts.codec), options));
  }

  /** A message that a handler published: it was checked where it was, and its payload is encoded already. */
  publishEncoded(detail: PublishedDetail, bytes: Uint8Array): boolean {
    const { topic, id, codec, lossy, delayMs } = detail;
    if (this.#parts.remote !== null) {
      return this.#parts.remote.publish(this.#named(this.#delivery(topic, { codec, bytes, lossy }, detail)), 'handler');
    }
    const missing = this.dedupe.missing(topic, id, this.#parts.router.match(topic) ?? []);
    if (missing === null) return true;
    const isPlain = missing.every(({ options }) => options.codec === 'clone');
    const refusedBy = isPlain
      ? this.#deliver(this.#delivery(topic, { codec, bytes, lossy }, detail), missing, delayMs ?? 0)
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
    const delivery = deliveryOf(arrival, this.#numbers++);
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
    const delivery = this.#delivery(topic, encodeAs(subscription.options.codec, payload), options, true);
    const reply = replies.wait(delivery.number, this.#instant.elapsed, timeoutMs);
    try {
      this.#give(subscription, delivery, options.delayMs ?? 0);
    } catch (thrown) {
      replies.forget(delivery.number);
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
    const delivery = this.#delivery(topic, encodeAs(subscription.options.codec, payload), options, true);
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
    return { ...delivery, id: messageId(delivery, this.#parts.instance) };
  }

  /** In the codec of each, encoded once for each codec. Returns those that have refused it. */
  #deliverEncoded(
    topic: string,
    payload: unknown,
    options: Partial<Nullable<PublishOptions>>,
    subscriptions: Subscriptions,
  ): Subscriptions {
    const number = this.#numbers++;
    const deliver = (codec: CodecChoice, some: Subscriptions): Subscriptions => {
      const encoded = this.#encoder.encode(topic, payload, codec);
      return this.#deliver(this.#delivery(topic, encoded, options, false, number), some, options.delayMs ?? 0);
    };
    const codec = commonCodec(subscriptions);
    if (codec !== undefined) return deliver(codec, subscriptions);
    return [...byCodec(subscriptions)].flatMap(([each, some]) => deliver(each, some));
  }

  /** Returns those that have refused it. */
  #deliver(delivery: Delivery, subscriptions: Subscriptions, delayMs: number): Subscriptions {
    if (subscriptions.length === 0) this.unrouted++;
    let refusedBy = NOBODY;
    for (const subscription of subscriptions) {
      const own = subscriptions.length === 1 ? delivery : { ...delivery };
      if (!this.#give(subscription, own, delayMs)) refusedBy = [...refusedBy, subscription];
    }
    return refusedBy;
  }

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

  #delivery(
    topic: string,
    { codec, bytes, lossy }: Encoded,
    options: Partial<Nullable<PublishOptions>>,
    wantsReply = false,
    number = this.#numbers++,
  ): Delivery {
    const { largestInRing, maxMessageBytes } = this.#parts;
    this.#instant.look();
    const { now } = this.#instant;
    const isLarge = bytes.length > largestInRing && bytes.length <= maxMessageBytes;
    return {
      number,
      id: options.id ?? '',
      topic,
      key: options.key ?? null,
      priority: options.priority ?? 'normal',
      headers: options.headers ?? null,
      publishedAt: now,
      expiresAt: options.ttlMs == null ? 0 : now + options.ttlMs,
      codec,
      // Once for all subscriptions, that is.
      bytes: isLarge ? inOwnMemory(bytes) : bytes,
      lossy,
      wantsReply,
      started: 0,
      failed: 0,
      kills: 0,
      timeouts: 0,
    };
  }
}

type Nullable<T> = { [K in keyof T]: T[K] | null };
