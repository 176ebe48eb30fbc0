// Makes deliveries of what is published. One that nobody has kept is used again: garbage costs as much as what is done with it.
import { Instant } from './instant.js';
import type { Clock } from './shared/clock.js';
import type { Encoded } from './shared/codec.js';
import { type Delivery, inOwnMemory } from './shared/delivery.js';
import { Codec } from './shared/message.js';
import type { PublishOptions } from './shared/publish-options.js';

type Draft = { -readonly [K in keyof Delivery]: Delivery[K] };

/** What a publisher may say of a message; null is as good as nothing. */
export type MessageOptions = { readonly [K in keyof PublishOptions]?: PublishOptions[K] | null };

const NO_BYTES = new Uint8Array(0);

/** Belongs to one bus. Runs on the main thread. */
export class NewDeliveries {
  readonly #instant: Instant;
  readonly #largestInRing: number;
  readonly #maxMessageBytes: number;
  #numbers = 0;
  #spare: Draft | null = null;

  /** @param largestInRing,maxMessageBytes payloads between them get shared memory of their own, in bytes */
  constructor(clock: Clock, largestInRing: number, maxMessageBytes: number) {
    this.#instant = new Instant(clock);
    this.#largestInRing = largestInRing;
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** The number of a message that begins here. */
  nextNumber(): number {
    return this.#numbers++;
  }

  /** `Clock.elapsed()` when the last one was made. */
  get elapsed(): number {
    return this.#instant.elapsed;
  }

  /** It does not own its bytes, unless they are large. Give it to {@link reuse} when nobody has kept it. */
  make(
    topic: string,
    { codec, bytes, lossy }: Encoded,
    options: MessageOptions,
    wantsReply = false,
    number = this.#numbers++,
  ): Delivery {
    const draft = this.#spare ?? blank();
    this.#spare = null;
    this.#instant.look();
    const { now } = this.#instant;
    const isLarge = bytes.length > this.#largestInRing && bytes.length <= this.#maxMessageBytes;
    draft.number = number;
    draft.id = options.id ?? '';
    draft.topic = topic;
    draft.key = options.key ?? null;
    draft.priority = options.priority ?? 'normal';
    draft.headers = options.headers ?? null;
    draft.publishedAt = now;
    draft.expiresAt = options.ttlMs == null ? 0 : now + options.ttlMs;
    draft.codec = codec;
    // Once for all subscriptions, that is.
    draft.bytes = isLarge ? inOwnMemory(bytes) : bytes;
    draft.lossy = lossy;
    draft.wantsReply = wantsReply;
    return draft;
  }

  /** Nobody refers to this one any more: it was copied into a ring. Its counters must stand at zero. */
  reuse(delivery: Delivery): void {
    const draft: Draft = delivery;
    // A payload may be large, and is the caller's.
    draft.bytes = NO_BYTES;
    this.#spare = draft;
  }
}

/** In the order of `deliveryOf` in remote.ts, for objects alike are faster. */
function blank(): Draft {
  return {
    number: 0,
    id: '',
    topic: '',
    key: null,
    priority: 'normal',
    headers: null,
    publishedAt: 0,
    expiresAt: 0,
    codec: Codec.JSON,
    bytes: NO_BYTES,
    lossy: false,
    wantsReply: false,
    started: 0,
    failed: 0,
    kills: 0,
    timeouts: 0,
  };
}
