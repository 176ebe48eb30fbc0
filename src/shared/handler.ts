// What the author of a handler needs: light enough to load in every worker (neither Piscina nor pino).
import type { CircuitState } from './breaker.js';
import { invalidOption } from './errors.js';
import type { Headers, Priority } from './message.js';
import { assertKnown, hook } from './option-checks.js';
import type { ErrorCategory, ErrorSeverity } from './report.js';

/** The platform's AbortSignal where its types are known, else the part of it that busbar promises. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer T } }
  ? T
  : { readonly aborted: boolean; readonly reason: unknown };

/** Structured log calls; they arrive on the main thread as the bus's `log` event. */
export interface HandlerLog {
  /** Level `info`. Fields are redacted by nobody: log no secrets. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Level `warn`. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Level `error`. It reports nothing and fails nothing: throw for that. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** A circuit breaker that all threads have in common. */
export interface Breaker {
  readonly name: string;
  /** `half_open` from when the recovery time is over. One atomic load. */
  readonly state: CircuitState;
  /** Milliseconds until an open breaker lets a probe through; 0 when it is not open, or was opened by hand. */
  readonly retryAfterMs: number;
  /**
   * Calls `run`, unless the breaker is open. Serialization, authentication and configuration errors do not count.
   *
   * @throws BUSBAR_BREAKER_OPEN with `retryAfterMs`, or what `run` throws
   */
  execute<T>(run: () => T | Promise<T>): Promise<T>;
  /** Refuses every call until `reset()`. */
  forceOpen(): void;
  /** Lets every call through and counts nothing until `reset()`. */
  disable(): void;
  /** Closes it and forgets what was counted. */
  reset(): void;
}

/** What a handler is told about its delivery. Lives on the handler's thread; valid until the handler settles. */
export interface HandlerContext {
  /** As published. */
  readonly topic: string;
  /** The publisher's, or made by the bus; the same in every attempt and every subscription. */
  readonly id: string;
  /** Null: none was given. */
  readonly key: string | null;
  /** Null: none were given. */
  readonly headers: Headers | null;
  readonly priority: Priority;
  /** Milliseconds since 1970. */
  readonly publishedAt: number;
  /** 1 for the first attempt. Above 1 the message may have been handled before, wholly or in part. */
  readonly attempt: number;
  /** Milliseconds since 1970 at which `signal` is aborted; the thread is ended one grace later. */
  readonly deadline: number;
  /** Aborted at the deadline, with a TimeoutError as its reason. */
  readonly signal: Signal;
  /**
   * Publishes a message when, and only when, this attempt succeeds. Its id is `<id>:<n>`, so a retry repeats it.
   *
   * @throws BUSBAR_ENCODING when the payload cannot be encoded, BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION,
   *   BUSBAR_MESSAGE_TOO_LARGE
   */
  publish(topic: string, payload: unknown, options?: HandlerPublishOptions): void;
  /**
   * The circuit breaker of this name, the same for all threads of the bus: one of its `breakers` option, or one with the
   * defaults. At most 128 names beside the option's.
   *
   * @param name 1 to 184 bytes
   * @throws BUSBAR_INVALID_OPTION
   */
  breaker(name: string): Breaker;
  /** Lines that arrive as the bus's `log` event, redacted; when main cannot keep up, the next line says how many were lost. */
  readonly log: HandlerLog;
}

/** Options of `ctx.publish`. */
export interface HandlerPublishOptions {
  readonly priority?: Priority;
  readonly key?: string;
  /** `traceparent`, `tracestate` and `baggage` are those of the message that is handled, unless they are given here. */
  readonly headers?: Headers;
  /** Milliseconds after which no handler starts it any more. */
  readonly ttlMs?: number;
  /** Milliseconds before it is handed to its subscriptions, 0 or more. */
  readonly delayMs?: number;
}

/** Handles one delivery; what it returns answers a `request()`. */
export type Handler<P = unknown, R = unknown> = (payload: P, context: HandlerContext) => R | Promise<R>;

/** Puts errors of a handler's own making into a category, before busbar's table does. */
export interface HandlerRule {
  /** All that are given must hold. */
  readonly when: {
    readonly name?: string;
    readonly code?: string;
    readonly status?: number;
    readonly message?: string | RegExp;
  };
  readonly category?: ErrorCategory;
  readonly severity?: ErrorSeverity;
}

/** Anything that follows the Standard Schema specification (zod, valibot, arktype and others), as far as busbar uses it. */
export interface StandardSchema {
  readonly '~standard': {
    readonly validate: (value: unknown) => unknown;
  };
}

/**
 * How payloads become bytes and bytes payloads, in the user's own way. `encode` runs on the main thread, `decode` on the
 * handler's. A payload that it cannot encode goes on in busbar's way, flagged as lossy; bytes that it cannot decode are a
 * failed attempt.
 */
export interface PayloadCodec {
  /** In each record and letter; 1 to 64 characters of `A-Z a-z 0-9 . _ -`. */
  readonly name: string;
  /** Called once for each message. The bytes are copied before it is called again. */
  encode(payload: unknown): Uint8Array;
  /** @param bytes a copy that is its own */
  decode(bytes: Uint8Array): unknown;
}

/** How payloads become bytes: with the fidelity of structured clone, as JSON (binary ones stay as they are), or the user's way. */
export type CodecChoice = 'clone' | 'json' | PayloadCodec;

/** Runs around a handler on its thread; calls `next` once to go on, or not at all. */
export type Middleware = (payload: unknown, context: HandlerContext, next: (payload: unknown) => unknown) => unknown;

/** What runs beside a handler on its thread; functions cannot cross threads, so it belongs to the handler's module. */
export interface HandlerOptions {
  /** Name of the export that holds this definition. Default `default`. */
  readonly export?: string;
  /** Checks every payload before the handler sees it; a failure is a BUSBAR_VALIDATION error. */
  readonly validate?: StandardSchema;
  /** Classification rules that come before busbar's own. */
  readonly rules?: readonly HandlerRule[];
  /**
   * Brings back the connection that this module holds, when the handler failed with a connection error, which it is given.
   * Runs on the handler's thread within the attempt's deadline, one call at a time; the attempt fails all the same, and is
   * repeated at once the first time. Returning false, throwing, or not settling within 10 s says that it is still gone;
   * after three such in a row it is left alone for 10 s.
   */
  readonly reconnect?: (error: unknown) => unknown;
  /**
   * Runs around the handler at each attempt, after `validate`, the first one outermost: it returns what `next` returns, or
   * something else, and may give `next` another payload.
   */
  readonly middleware?: readonly Middleware[];
  /** Runs once on each thread before the first delivery; `setupTimeoutMs` after its module began to load it must be done. */
  readonly setup?: () => void | Promise<void>;
  /**
   * Runs once on each thread that was set up, when the last subscription of this handler is unsubscribed or the bus stops: after
   * its last delivery, and awaited for `graceMs`. What it throws is reported. A thread that is ended runs nothing more.
   */
  readonly teardown?: () => void | Promise<void>;
  /** Encodes the payloads of its subscriptions on the main thread, and decodes them here. Not with a transport. */
  readonly codec?: PayloadCodec;
}

const HANDLER_OPTIONS = ['export', 'validate', 'rules', 'reconnect', 'middleware', 'setup', 'teardown', 'codec'];

const DEFINITION = Symbol.for('busbar.handler');

/** A handler with the module it lives in, so that worker threads can load it. Made by {@link defineHandler}. */
export interface HandlerDefinition<P = unknown, R = unknown> {
  readonly url: string;
  readonly handle: Handler<P, R>;
  readonly options: HandlerOptions;
}

/**
 * Marks a module's export as a handler that worker threads can load.
 *
 * @param url the module's own `import.meta.url`; a CommonJS module passes `__filename`
 * @param handle called once for each attempt, on a lane worker
 * @throws BUSBAR_INVALID_OPTION
 */
export function defineHandler<P = unknown, R = unknown>(
  url: string,
  handle: Handler<P, R>,
  options: HandlerOptions = {},
): HandlerDefinition<P, R> {
  if (typeof url !== 'string' || url === '') {
    throw invalidOption('defineHandler: url', 'import.meta.url or __filename', url);
  }
  if (typeof handle !== 'function') throw invalidOption('defineHandler: handler', 'a function', handle);
  if (typeof options !== 'object' || options === null)
    throw invalidOption('defineHandler: options', 'an object', options);
  assertKnown('defineHandler: options', options, HANDLER_OPTIONS);
  const { middleware = [] } = options;
  if (!Array.isArray(middleware) || middleware.some((item) => typeof item !== 'function')) {
    throw invalidOption('defineHandler: middleware', 'a list of functions', middleware);
  }
  hook('defineHandler: teardown', options.teardown);
  if (options.codec !== undefined) assertCodec('defineHandler: codec', options.codec);
  return Object.freeze({ [DEFINITION]: true, url, handle, options: Object.freeze({ ...options }) });
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertCodec(option: string, codec: unknown): asserts codec is PayloadCodec {
  if (typeof codec !== 'object' || codec === null) throw invalidOption(option, '{ name, encode, decode }', codec);
  const { name, encode, decode } = codec as Partial<PayloadCodec>;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw invalidOption(`${option}.name`, '1 to 64 characters of A-Z a-z 0-9 . _ -', name);
  }
  if (typeof encode !== 'function') throw invalidOption(`${option}.encode`, 'a function', encode);
  if (typeof decode !== 'function') throw invalidOption(`${option}.decode`, 'a function', decode);
}

/** True for what {@link defineHandler} made, in whatever copy of busbar. */
export function isHandlerDefinition(value: unknown): value is HandlerDefinition {
  return typeof value === 'object' && value !== null && DEFINITION in value;
}

const VERDICT = Symbol.for('busbar.verdict');

/** What a handler throws to say itself what becomes of its delivery. */
export class HandlerVerdict extends Error {
  override readonly name = 'HandlerVerdict';
  readonly kind: 'retry-later' | 'discard' | 'dead-letter';
  /** Milliseconds; only for `retry-later`. */
  readonly delayMs: number;

  constructor(kind: HandlerVerdict['kind'], reason: string, delayMs = 0) {
    super(reason);
    this.kind = kind;
    this.delayMs = delayMs;
    Object.defineProperty(this, VERDICT, { value: true });
  }
}

/** True for a verdict, in whatever copy of busbar it was made. */
export function isVerdict(thrown: unknown): thrown is HandlerVerdict {
  return thrown instanceof Error && VERDICT in thrown;
}

/**
 * Throw it to be called again after `delayMs`, at no cost of an attempt. Nothing limits how often: from ten times on, a report
 * (BUSBAR_PUT_OFF) and the bus's health tell of it.
 *
 * @param delayMs milliseconds, 0 or more
 * @throws BUSBAR_INVALID_OPTION
 */
export function retryLater(delayMs: number): HandlerVerdict {
  if (!Number.isFinite(delayMs) || delayMs < 0) throw invalidOption('retryLater: delayMs', 'a number >= 0', delayMs);
  return new HandlerVerdict('retry-later', `retry in ${delayMs} ms`, delayMs);
}

/** Throw it to drop the delivery without a retry or a dead letter. */
export function discard(reason: string): HandlerVerdict {
  return new HandlerVerdict('discard', reason);
}

/** Throw it to send the delivery to the dead-letter queue without a retry. */
export function deadLetter(reason: string): HandlerVerdict {
  return new HandlerVerdict('dead-letter', reason);
}
