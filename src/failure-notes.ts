// Writes down failures: the error report of an attempt, the letter of a delivery, and failures that main itself found.

import { nanoid } from 'nanoid';
import type { LiveSubscription } from './live-subscription.js';
import type { Clock } from './shared/clock.js';
import { decodePayload } from './shared/codec.js';
import { type Delivery, messageId } from './shared/delivery.js';
import type { FailureDescriber } from './shared/describe.js';
import { BusbarError } from './shared/errors.js';
import type { LetterHeader } from './shared/logging-task.js';
import type { EncodedMessage } from './shared/message.js';
import type { Failure } from './shared/outcome.js';
import { type DeadLetterReason, type ErrorPhase, type ErrorReport, ErrorSeverity } from './shared/report.js';
import type { Kill } from './threads/lane-contract.js';

/** Belongs to one bus. Decides nothing, has no effects. Runs on the main thread. */
export class FailureNotes {
  readonly #describer: FailureDescriber;
  readonly #clock: Clock;
  readonly #instance: string;
  readonly #overflows = new WeakMap<LiveSubscription, Failure>();

  constructor(describer: FailureDescriber, clock: Clock, instance: string) {
    this.#describer = describer;
    this.#clock = clock;
    this.#instance = instance;
  }

  report(subscription: LiveSubscription, delivery: Delivery, failure: Failure, errorId: string): ErrorReport {
    const { category, severity, phase, error, signature, preview, reconnected, recovery_error } = failure;
    const id = messageId(delivery, this.#instance);
    return {
      error_id: errorId,
      timestamp: this.#clock.now() / 1000,
      category,
      severity,
      component: `subscription ${subscription.options.breakerName}`,
      message: error.message,
      exception_type: error.name,
      traceback: error.stack ?? null,
      context: {
        message: preview ?? this.#describer.preview(payloadOf(delivery)),
        subscriber_id: subscription.subscriberId,
        pattern: subscription.pattern,
        topic: delivery.topic,
        message_id: id,
        delivery_id: `${id}@${subscription.subscriberId}`,
        phase,
        ...(error.code === undefined ? {} : { code: error.code }),
        signature,
        ...(reconnected === undefined ? {} : { reconnected }),
        ...(recovery_error === undefined ? {} : { recovery_error }),
        ...(error.cause === undefined ? {} : { cause: error.cause }),
      },
      recovery_attempted: false,
      recovery_successful: false,
      retry_count: Math.max(0, delivery.failed - 1),
    };
  }

  letter(
    subscription: LiveSubscription,
    delivery: Delivery,
    failure: Failure,
    reason: DeadLetterReason,
    errorId: string,
  ): LetterHeader {
    const { topic, key, priority, headers, publishedAt, started, failed, codec } = delivery;
    const now = this.#clock.now() / 1000;
    const { category, signature, error } = failure;
    return {
      error_id: errorId,
      timestamp: now,
      message: {
        id: messageId(delivery, this.#instance),
        topic,
        key,
        priority,
        headers,
        published_at: publishedAt / 1000,
      },
      payload_codec: codec,
      error_category: category,
      retry_count: Math.max(0, failed - 1),
      reason,
      signature,
      topic,
      subscriber_id: subscription.subscriberId,
      pattern: subscription.pattern,
      priority,
      key,
      headers,
      started,
      failed,
      history: subscription.trails.historyOf(delivery) ?? [{ category, signature, count: 1, first: now, last: now }],
      error,
    };
  }

  /** The letter of a message that a transport's servers never had: it belongs to no subscription. */
  unpublished(
    { id, topic, key, priority, headers, publishedAt, codec }: EncodedMessage,
    thrown: unknown,
  ): LetterHeader {
    const now = this.#clock.now() / 1000;
    const { category, signature, error } = this.#describer.describe(thrown, 'setup', undefined);
    return {
      ...{ error_id: nanoid(), timestamp: now, payload_codec: codec, error_category: category, retry_count: 0 },
      message: { id, topic, key, priority, headers, published_at: publishedAt / 1000 },
      ...{ reason: 'unpublished', signature, topic, subscriber_id: '', pattern: topic, priority, key, headers },
      ...{ started: 0, failed: 0, error },
      history: [{ category, signature, count: 1, first: now, last: now }],
    };
  }

  /** A report of something that is no delivery. */
  incident(component: string, thrown: unknown, phase: ErrorPhase, context: Record<string, unknown> = {}): ErrorReport {
    return this.incidentOf(component, this.#describer.describe(thrown, phase, undefined), context);
  }

  /** The same of a failure that is described already. */
  incidentOf(component: string, failure: Failure, context: Record<string, unknown> = {}): ErrorReport {
    const { category, severity, error, phase, signature } = failure;
    const told = this.#describer.redactedContext(context);
    return {
      error_id: nanoid(),
      timestamp: this.#clock.now() / 1000,
      category,
      severity,
      component,
      message: error.message,
      exception_type: error.name,
      traceback: error.stack ?? null,
      context: {
        phase,
        signature,
        ...(error.code === undefined ? {} : { code: error.code }),
        ...(error.cause === undefined ? {} : { cause: error.cause }),
        ...told,
      },
      recovery_attempted: false,
      recovery_successful: false,
      retry_count: 0,
    };
  }

  /** A text of the user's without its secrets. */
  redacted(text: string): string {
    return this.#describer.redacted(text);
  }

  misconfigured(thrown: unknown): ErrorReport {
    return this.incident('recovery', thrown, 'setup');
  }

  killed(delivery: Delivery, { cause, ranMs, timeoutMs, exitCode }: Kill): Failure {
    const late = (): Error =>
      new BusbarError(
        'BUSBAR_HANDLER_TIMEOUT',
        `the handler ran past ${Math.round(timeoutMs)} ms; its thread was ended after ${Math.round(ranMs)} ms`,
      );
    const withCode = exitCode === null ? '' : ` with exit code ${exitCode}`;
    const error = {
      deadline: late,
      'never-settled': late,
      exited: () =>
        new BusbarError(
          'BUSBAR_WORKER_LOST',
          `the worker thread ended${withCode} while the handler ran (after ${Math.round(ranMs)} ms)`,
        ),
      'out-of-memory': () =>
        Object.assign(new Error('the worker thread ran out of memory while the handler ran'), {
          code: 'ERR_WORKER_OUT_OF_MEMORY',
        }),
    }[cause]();
    // Where this was noticed says nothing about where it happened.
    error.stack = '';
    return this.#describer.describe(error, 'thread', payloadOf(delivery));
  }

  expired(): Failure {
    const error = new BusbarError('BUSBAR_EXPIRED', 'the message outlived its ttlMs before a handler started');
    return { ...this.#describer.describe(error, 'queue', undefined), severity: ErrorSeverity.LOW };
  }

  putOff({ trails }: LiveSubscription, delivery: Delivery): Failure {
    const times = trails.timesPutOff(delivery);
    const error = new BusbarError('BUSBAR_PUT_OFF', `the handler has put this message off ${times} times`);
    error.stack = '';
    return { ...this.#describer.describe(error, 'handler', payloadOf(delivery)), severity: ErrorSeverity.LOW };
  }

  /** A message that the transport brought cannot, or must not, be handled. */
  refused(thrown: unknown): Failure {
    return this.#describer.describe(thrown, 'decode', undefined);
  }

  breakerOpen(subscription: LiveSubscription): Failure {
    const error = new BusbarError('BUSBAR_BREAKER_OPEN', `circuit breaker ${subscription.options.breakerName} is open`);
    return this.#describer.describe(error, 'queue', undefined);
  }

  overflow(subscription: LiveSubscription, delivery: Delivery): Failure {
    const error = new BusbarError('BUSBAR_QUEUE_FULL', fullQueue(subscription));
    return this.#describer.describe(error, 'queue', payloadOf(delivery));
  }

  /** The same for all deliveries that a policy drops: they may be many, and are nobody's fault. */
  overflowByPolicy(subscription: LiveSubscription): Failure {
    let known = this.#overflows.get(subscription);
    if (known === undefined) {
      const error = new BusbarError('BUSBAR_QUEUE_FULL', fullQueue(subscription));
      known = { ...this.#describer.describe(error, 'queue', undefined), severity: ErrorSeverity.LOW };
      this.#overflows.set(subscription, known);
    }
    return known;
  }

  tooLarge(bytes: number, most: number): Failure {
    const error = new BusbarError(
      'BUSBAR_MESSAGE_TOO_LARGE',
      `a message of ${bytes} bytes is larger than ${most} bytes, the lesser of maxMessageBytes and maxQueueBytes`,
    );
    return this.#describer.describe(error, 'encode', undefined);
  }

  shutdown(delivery: Delivery): Failure {
    const hasBegun = delivery.started > 0;
    const error = new BusbarError(
      'BUSBAR_SHUTDOWN',
      `the bus or the subscription was ended before ${hasBegun ? 'the delivery was settled' : 'a handler began with the message'}`,
    );
    error.stack = '';
    const failure = this.#describer.describe(error, 'queue', payloadOf(delivery));
    return { ...failure, severity: ErrorSeverity.LOW };
  }
}

function payloadOf(delivery: Delivery): unknown {
  try {
    return decodePayload(delivery.codec, delivery.bytes);
  } catch {
    return `[${delivery.bytes.byteLength} bytes that do not decode]`;
  }
}

function fullQueue({ subscriberId, options: { maxQueueSize, maxQueueBytes } }: LiveSubscription): string {
  return `the queue of ${subscriberId} is full (maxQueueSize ${maxQueueSize}, maxQueueBytes ${maxQueueBytes})`;
}
