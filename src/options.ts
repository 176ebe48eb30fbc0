// The options of a bus and of a subscription, as users give them.
import type { CriticalHook } from './escalation.js';
import type { RetryBudgetOptions } from './failure/budget.js';
import type { RetryOverrides } from './failure/retry-config.js';
import type { BreakerOptions } from './shared/breaker.js';
import type { Clock } from './shared/clock.js';
import type { CodecChoice, StandardSchema } from './shared/handler.js';
import type { Ordering } from './shared/message.js';
import type { ReconnectHook } from './shared/reconnector.js';
import type { RedactOptions } from './shared/redact.js';
import type { ErrorReport } from './shared/report.js';
import type { RateLimitOptions } from './threads/rate-limit.js';
import type { ThreadLimits } from './threads/thread-limits.js';
import type { TransportMaker } from './transport/transport.js';

/** Options of a bus. */
export interface MessageBusOptions {
  /** Deliveries that may wait in each subscription, besides those that run, 1 or more. Default 10 000. */
  readonly maxQueueSize?: number;
  /** Bytes of payloads that may wait in each subscription, wherever they wait, 1 or more. Default 64 MiB. */
  readonly maxQueueBytes?: number;
  /** False: one attempt, failures are dropped and counted, no files. Default true. */
  readonly enableErrorHandling?: boolean;
  /** Folder of the error log, the metrics and the dead letters; resolved once, here. Default `data/logs/message_bus`. */
  readonly errorLogDir?: string;
  /** The error log is rotated before it grows above this, in bytes, at least 1024. Default 10 485 760. */
  readonly maxLogSize?: number;
  /** Rotated error logs that are kept, 1 or more. Default 5. */
  readonly maxLogFiles?: number;
  /**
   * Worker threads that run handlers at the same time, 1 to 256. They begin with the first handler that is to run on them.
   * Default: the machine's parallelism less one, at least 1.
   */
  readonly threads?: number;
  /** Threads that stand by for one that dies, 0 to 16. Default 1 where there are two cores or more, else 0. */
  readonly spareThreads?: number;
  /**
   * Bytes of each lane's rings, a power of two from 65 536 to 1 GiB (131 072 are taken at least). Payloads that come to more
   * than a quarter of it, with their headers, travel in shared memory of their own, which costs an allocation each. A ring that
   * is larger than the processor's cache is slower: make it four of the largest usual payloads. Default 1 048 576.
   */
  readonly ringBytes?: number;
  /**
   * How payloads become bytes. 'clone': with the fidelity of structured clone. 'json': as JSON.stringify says them, and binary
   * ones as they are; what JSON has no word for (BigInt, cycles, undefined) goes on as with 'clone', flagged as lossy. What
   * handlers publish or return is always cloned. Default 'clone'.
   */
  readonly codec?: 'clone' | 'json';
  /**
   * For how long an `id` that a publisher or a handler gave is remembered, in milliseconds, 0 or more: a message that is
   * published again to the same topic within it is accepted and not routed. 100 000 ids at most. Default 0: not at all.
   */
  readonly dedupeWindowMs?: number;
  /**
   * The largest payload as encoded, in bytes, 1 to 1 GiB, also of what handlers return and publish; never more than
   * `maxQueueBytes`. Default 64 MiB.
   */
  readonly maxMessageBytes?: number;
  /** Limits of each worker thread's JavaScript heap; they do not cover Buffers. Default: Node's own. */
  readonly resourceLimits?: ThreadLimits;
  /** How each category is retried, for all subscriptions. What is left out is as it is by default. */
  readonly retry?: RetryOverrides;
  /** How many retries all subscriptions may make together; those beyond it wait. False: no limit. Default 20 % and 10/s. */
  readonly retryBudget?: RetryBudgetOptions | false;
  /**
   * Circuit breakers by name, for `ctx.breaker(name)` in handlers and `breaker: { name }` of subscriptions: one breaker for
   * all threads. A name that is not here has a breaker with the defaults.
   */
  readonly breakers?: Readonly<Record<string, BreakerOptions>>;
  /**
   * Called with the report of each critical failure (out of memory, a full disk) that is reported in full. Returning or
   * resolving with 'stop' ends the bus at once; what waits is dead-lettered with the reason `shutdown`, to be replayed.
   */
  readonly onCritical?: CriticalHook;
  /** What is secret in logs and previews, beyond what busbar knows. */
  readonly redact?: RedactOptions;
  /** Where time comes from, on the main thread. Default: the system's. */
  readonly clock?: Clock;
  /** Carries messages beyond the process: `jetstream()` of `busbar/jetstream`. Default: all is in memory. */
  readonly transport?: TransportMaker;
}

/** Options of `stop`. */
export interface StopOptions {
  /** False: what waits is dead-lettered at once, with the reason `shutdown`. Default true. */
  readonly drain?: boolean;
  /** How long to wait for what waits, in milliseconds, 0 or more. Default 10 000. */
  readonly timeoutMs?: number;
}

/** How the deadlines of a subscription adapt. */
export interface AdaptiveTimeoutOptions {
  /** No deadline grows beyond it, in milliseconds, at least `timeoutMs`. Default four times `timeoutMs`. */
  readonly maxTimeoutMs?: number;
  /**
   * True: once 100 attempts were seen, three times the 99th percentile of how long they took takes the place of
   * `timeoutMs`, in each lane for itself. Default false.
   */
  readonly observed?: boolean;
  /** What is observed makes no deadline shorter than this, in milliseconds, more than 0. Default a tenth of `timeoutMs`. */
  readonly minTimeoutMs?: number;
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Names the subscription, together with its pattern; 1 to 256 characters. */
  readonly subscriberId: string;
  /** Name of the handler's export, when the handler is a module URL. Default `default`. */
  readonly export?: string;
  /** Partitions that are handled side by side, 1 to 256; 'auto': as many as the bus has threads. Default 1. */
  readonly lanes?: number | 'auto';
  /**
   * What waits for the verdict on a delivery that failed: 'key': later ones of its key and priority, and those without a
   * key where `concurrency` is 1; 'strict': its whole lane; 'none': nothing, later ones overtake. Default 'key'.
   */
  readonly ordering?: Ordering;
  /** How long a handler may run before `ctx.signal` is aborted, in milliseconds, more than 0. Default 30 000. */
  readonly timeoutMs?: number;
  /**
   * How the deadline adapts. By default each timeout gives the next attempt of that message half as much again, up to four
   * times `timeoutMs`. False: not at all.
   */
  readonly adaptiveTimeout?: AdaptiveTimeoutOptions | false;
  /** How much longer before its thread is ended, in milliseconds, 0 or more. Default 1000. */
  readonly graceMs?: number;
  /**
   * How long a handler's module may take on a thread to load and to be set up, in milliseconds, more than 0. Then the thread is
   * ended: `subscribe` rejects with BUSBAR_HANDLER_LOAD, and later a lane stands still for as long. Default 30 000.
   */
  readonly setupTimeoutMs?: number;
  /**
   * Asynchronous handlers that may run at the same time in each lane, 1 to 1024; never two of the same key, and 1 where
   * `ordering` is 'strict'. Default 1.
   */
  readonly concurrency?: number;
  /** How often handlers may be started, in all lanes together. What waits for its turn waits on the main thread. Default: no limit. */
  readonly rateLimit?: RateLimitOptions;
  /** How each category is retried. What is left out is the bus's. */
  readonly retry?: RetryOverrides;
  /**
   * Called on the main thread when an attempt fails with a connection error, one call at a time for all that share the
   * function: brings the connection back, and the attempt is repeated at once the first time. Returning false, throwing, or
   * not settling within 10 s says that it is still gone; after three such in a row it is left alone for 10 s. A connection
   * that lives on the worker has its hook in `defineHandler`.
   */
  readonly reconnect?: ReconnectHook<ErrorReport>;
  /** Its `name` may be one of the bus's `breakers`, then without other options. Default name `pattern#subscriberId`. False: none. */
  readonly breaker?: (BreakerOptions & { readonly name?: string }) | false;
  /** What becomes of messages while the breaker is open: they wait, or they are given up. Default 'hold'. */
  readonly whenOpen?: 'hold' | 'dead-letter';
  /**
   * What becomes of a message whose retries are used up; with `maxRetries: 0`, at its first failure. 'discard': dropped and counted.
   * What is given up at once by its category is kept all the same. Default 'dead-letter'.
   */
  readonly whenExhausted?: 'dead-letter' | 'discard';
  /** Deliveries that may wait, 1 or more. Default: the bus's. */
  readonly maxQueueSize?: number;
  /** Bytes of payloads that may wait, 1 or more. Default: the bus's. */
  readonly maxQueueBytes?: number;
  /**
   * What gives when the queue is full. 'reject': the newcomer is dropped. 'drop-oldest': the oldest of the lowest priority
   * that is not above the newcomer's. 'drop-low': the oldest of the lowest priority below the newcomer's. 'dead-letter': the
   * newcomer goes to the dead-letter queue. What a lane's thread can reach already never gives way; where nothing may, the
   * newcomer is dropped. Dropped deliveries are counted. Default: `low` ones give way to others, into the dead-letter queue;
   * then the queue grows by half for 30 s; then newcomers go to the dead-letter queue.
   */
  readonly overflow?: Overflow;
  /**
   * How payloads become bytes for this subscription. An object for a plain function, or for a module URL whose definition has
   * a codec of that name; a `defineHandler` value brings its own. With a transport it is the bus's. Default: the bus's.
   */
  readonly codec?: CodecChoice;
  /** Checks payloads, for a plain function; a handler in a module gives it to `defineHandler`. */
  readonly validate?: StandardSchema;
  /** 'view': raw bytes are a view on the ring, valid until the handler settles. Default 'copy'. */
  readonly bytes?: 'copy' | 'view';
}

/** What gives when a queue is full; see `SubscribeOptions.overflow`. */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-low' | 'dead-letter';
