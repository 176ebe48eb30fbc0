// What a handler is told about its delivery, and what it publishes and logs through it.

import { type Clock, type Timer, timerAt } from './clock.js';
import { encodePayload } from './codec.js';
import { type DeliveryHead, messageId } from './delivery.js';
import { BusbarError } from './errors.js';
import type { Breaker, HandlerContext, HandlerLog, HandlerPublishOptions, Signal } from './handler.js';
import { logFields } from './log-fields.js';
import type { Headers, Priority } from './message.js';
import type { LogDetail, PublishedDetail } from './outcome.js';
import { assertNoDelay, assertPublishOptions } from './publish-options.js';
import { preview, type Redactor } from './redact.js';
import { assertTopic } from './topics.js';

/** A message that waits for its attempt to succeed. */
export interface HeldPublication {
  readonly detail: PublishedDetail;
  readonly bytes: Uint8Array;
}

/** Where a context's time, breakers and redaction come from, where its log lines go, and the limits of what it may publish. */
export interface ContextOutlet {
  readonly clock: Clock;
  readonly redactor: Redactor;
  readonly breakers: { of(name: string): Breaker };
  /** What is published goes to a transport. */
  readonly isRemote: boolean;
  log(line: LogDetail): void;
  /** Something went wrong after the attempt `of` had ended. Never throws. */
  late(error: BusbarError, of: { readonly id: string; readonly topic: string }): void;
  /** @throws BUSBAR_MESSAGE_TOO_LARGE */
  assertFits(bytes: number, detail: unknown): void;
}

/** One attempt as its handler sees it. */
export class AttemptContext implements HandlerContext {
  readonly #delivery: DeliveryHead;
  readonly #instance: string;
  readonly #timeoutMs: number;
  readonly #startedAt: number;
  readonly #outlet: ContextOutlet;
  #abort: AbortController | undefined;
  #timer: Timer | undefined;
  /** Messages published by this attempt; released when it succeeds. */
  publications: HeldPublication[] | undefined;
  #isClosed = false;

  /** @param startedAt `Clock.elapsed()` when the attempt began */
  constructor(delivery: DeliveryHead, instance: string, timeoutMs: number, startedAt: number, outlet: ContextOutlet) {
    this.#delivery = delivery;
    this.#instance = instance;
    this.#timeoutMs = timeoutMs;
    this.#startedAt = startedAt;
    this.#outlet = outlet;
  }

  get topic(): string {
    return this.#delivery.topic;
  }

  get id(): string {
    return messageId(this.#delivery, this.#instance);
  }

  get key(): string | null {
    return this.#delivery.key;
  }

  get headers(): Headers | null {
    return this.#delivery.headers;
  }

  get priority(): Priority {
    return this.#delivery.priority;
  }

  get publishedAt(): number {
    return this.#delivery.publishedAt;
  }

  get attempt(): number {
    return this.#delivery.started + 1;
  }

  /** Attempts that counted as failed before this one. */
  get failures(): number {
    return this.#delivery.failed;
  }

  get deadline(): number {
    return Math.round(this.#outlet.clock.now() + this.#remaining());
  }

  /** Made when first asked for: an AbortController costs 2 µs, and most handlers never look. */
  get signal(): Signal {
    if (this.#abort === undefined) {
      const abort = new AbortController();
      this.#abort = abort;
      const late = (): void => abort.abort(new DOMException(`handler ran past ${this.#timeoutMs} ms`, 'TimeoutError'));
      if (this.#remaining() <= 0) late();
      else this.#timer = timerAt(this.#outlet.clock, this.#startedAt + this.#timeoutMs, late);
    }
    return this.#abort.signal as Signal;
  }

  get log(): HandlerLog {
    const line =
      (level: LogDetail['level']) =>
      (message: string, fields?: Readonly<Record<string, unknown>>): void =>
        this.#log(level, message, fields);
    return { info: line('info'), warn: line('warn'), error: line('error') };
  }

  /** Whoever listens may print it: so it leaves its thread without secrets. */
  #log(level: LogDetail['level'], message: unknown, fields: unknown): void {
    const { redactor } = this.#outlet;
    const text = typeof message === 'string' ? redactor.text(message) : preview(message, redactor);
    this.#outlet.log({
      level,
      message: text,
      fields: redactor.value(logFields(fields)),
      id: this.id,
      topic: this.topic,
    });
  }

  /** A function of its own, as the next one: handlers take their context apart. */
  get breaker(): (name: string) => Breaker {
    return (name) => this.#outlet.breakers.of(name);
  }

  get publish(): HandlerContext['publish'] {
    return (topic, payload, options) => this.#publish(topic, payload, options);
  }

  #publish(topic: string, payload: unknown, options: HandlerPublishOptions = {}): void {
    assertTopic(topic);
    assertPublishOptions(options);
    if (this.#outlet.isRemote) assertNoDelay(options.delayMs);
    if (this.#isClosed) {
      const what = `ctx.publish to ${topic} after the handler of ${this.id} had ended: nothing is published`;
      this.#outlet.late(new BusbarError('BUSBAR_NOT_RUNNING', what), this);
      return;
    }
    const headers = withTrace(options.headers ?? null, this.headers);
    if (headers !== null) assertPublishOptions({ headers });
    const { codec, bytes, lossy } = encodePayload(payload);
    this.publications ??= [];
    const detail: PublishedDetail = {
      id: `${shortId(this.id)}:${this.publications.length + 1}`,
      topic,
      codec,
      lossy,
      priority: options.priority ?? 'normal',
      key: options.key ?? null,
      headers,
      ttlMs: options.ttlMs ?? null,
      delayMs: options.delayMs ?? null,
    };
    this.#outlet.assertFits(bytes.byteLength, detail);
    this.publications.push({ detail, bytes: new Uint8Array(bytes) });
  }

  /** The attempt has failed though its handler runs on: tells it so by its signal. */
  cancel(reason: unknown): void {
    this.signal;
    this.#abort?.abort(reason);
  }

  /** True: {@link close} was called. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The attempt has ended, and what it holds: its deadline timer. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #remaining(): number {
    return this.#startedAt + this.#timeoutMs - this.#outlet.clock.elapsed();
  }
}

/** Beyond so many characters the id of what was handled is not repeated in the ids of what its handler publishes. */
const LONGEST_PARENT = 200;

/** The id, or one of 43 characters that always stands for it: messages that follow one another would grow it without end. */
function shortId(id: string): string {
  if (id.length <= LONGEST_PARENT) return id;
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(id).digest('base64url');
}

/** The headers of W3C Trace Context and Baggage. */
const TRACE_HEADERS = ['traceparent', 'tracestate', 'baggage'];

/** A message that a handler publishes belongs to the trace of the message that it handles. */
function withTrace(own: Headers | null, handled: Headers | null): Headers | null {
  if (handled === null) return own;
  const carried = TRACE_HEADERS.filter((name) => typeof handled[name] === 'string' && Object.hasOwn(handled, name));
  if (carried.length === 0) return own;
  return { ...Object.fromEntries(carried.map((name) => [name, handled[name] as string])), ...own };
}
