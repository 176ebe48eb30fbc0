// The options of a bus and of a subscription: what they are, their defaults, and what is wrong with bad ones.
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { RetryOverrides } from './failure/recovery.js';
import { assertRetryConfig } from './failure/recovery.js';
import type { BreakerOptions } from './shared/breaker.js';
import { SharedBreaker } from './shared/breaker.js';
import { type Clock, systemClock } from './shared/clock.js';
import { invalidOption } from './shared/errors.js';
import type { StandardSchema } from './shared/handler.js';
import { createRedactor, type RedactOptions } from './shared/redact.js';
import { ErrorCategory } from './shared/report.js';
import { allocateRing } from './shared/ring.js';
import type { ThreadLimits } from './threads/thread-limits.js';

/** Options of a bus. */
export interface MessageBusOptions {
  /** Deliveries that may wait in each subscription, 1 or more. Default 10 000. */
  readonly maxQueueSize?: number;
  /** Bytes of payloads that may wait on the main thread in each subscription, 1 or more. Default 64 MiB. */
  readonly maxQueueBytes?: number;
  /** False: one attempt, failures are dropped and counted, no files. Default true. */
  readonly enableErrorHandling?: boolean;
  /** Folder of the error log, the metrics and the dead letters; resolved once, here. Default `data/logs/message_bus`. */
  readonly errorLogDir?: string;
  /** Worker threads that run handlers at the same time, 1 to 256. Default: the machine's parallelism less one, at least 1. */
  readonly threads?: number;
  /** Threads that stand by for one that dies, 0 to 16. Default 1 where there are two cores or more, else 0. */
  readonly spareThreads?: number;
  /** Bytes of each lane's rings, a power of two from 65 536 to 1 GiB. A message may be a quarter of it. Default 1 048 576. */
  readonly ringBytes?: number;
  /** Limits of each worker thread's JavaScript heap; they do not cover Buffers. Default: Node's own. */
  readonly resourceLimits?: ThreadLimits;
  /** How each category is retried, for all subscriptions. */
  readonly retry?: RetryOverrides;
  /** What is secret in logs and previews, beyond what busbar knows. */
  readonly redact?: RedactOptions;
  /** Where time comes from, on the main thread. Default: the system's. */
  readonly clock?: Clock;
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Names the subscription, together with its pattern; 1 to 256 characters. */
  readonly subscriberId: string;
  /** Name of the handler's export, when the handler is a module URL. Default `default`. */
  readonly export?: string;
  /** Partitions that are handled side by side, 1 to 256; 'auto': as many as the bus has threads. Default 1. */
  readonly lanes?: number | 'auto';
  /** How long a handler may run before `ctx.signal` is aborted, in milliseconds, more than 0. Default 30 000. */
  readonly timeoutMs?: number;
  /** How much longer before its thread is ended, in milliseconds, 0 or more. Default 1000. */
  readonly graceMs?: number;
  /** Asynchronous handlers that may run at the same time in each lane, 1 to 1024. Default 1. */
  readonly concurrency?: number;
  /** How each category is retried; replaces the bus's. */
  readonly retry?: RetryOverrides;
  /** False: no breaker. */
  readonly breaker?: (BreakerOptions & { readonly name?: string }) | false;
  /** What becomes of messages while the breaker is open: they wait, or they are given up. Default 'hold'. */
  readonly whenOpen?: 'hold' | 'dead-letter';
  /** Deliveries that may wait, 1 or more. Default: the bus's. */
  readonly maxQueueSize?: number;
  /** Bytes that may wait on the main thread, 1 or more. Default: the bus's. */
  readonly maxQueueBytes?: number;
  /** Checks payloads, for a plain function; a handler in a module gives it to `defineHandler`. */
  readonly validate?: StandardSchema;
  /** 'view': raw bytes are a view on the ring, valid until the handler settles. Default 'copy'. */
  readonly bytes?: 'copy' | 'view';
}

export type ResolvedBusOptions = Required<Omit<MessageBusOptions, 'resourceLimits'>> & {
  readonly resourceLimits: ThreadLimits;
};

const MEBIBYTE = 1024 * 1024;
const SMALLEST_RING_BYTES = 64 * 1024;

/** @throws BUSBAR_INVALID_OPTION */
export function resolveBusOptions(options: MessageBusOptions): ResolvedBusOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
  assertKnown('options', options, BUS_OPTIONS);
  const cores = availableParallelism();
  const resolved = {
    maxQueueSize: whole('maxQueueSize', options.maxQueueSize ?? 10_000, 1),
    maxQueueBytes: whole('maxQueueBytes', options.maxQueueBytes ?? 64 * MEBIBYTE, 1),
    enableErrorHandling: flag('enableErrorHandling', options.enableErrorHandling ?? true),
    errorLogDir: resolve(path('errorLogDir', options.errorLogDir ?? 'data/logs/message_bus')),
    threads: whole('threads', options.threads ?? Math.max(1, cores - 1), 1, 256),
    spareThreads: whole('spareThreads', options.spareThreads ?? (cores > 1 ? 1 : 0), 0, 16),
    ringBytes: options.ringBytes ?? MEBIBYTE,
    resourceLimits: threadLimits(options.resourceLimits ?? {}),
    retry: retry('retry', options.retry ?? {}),
    redact: options.redact ?? {},
    clock: options.clock ?? systemClock,
  };
  whole('ringBytes', resolved.ringBytes, SMALLEST_RING_BYTES);
  allocateRing(resolved.ringBytes);
  createRedactor(resolved.redact);
  if (typeof resolved.clock.elapsed !== 'function') throw invalidOption('clock', 'a clock', resolved.clock);
  return resolved;
}

export type ResolvedSubscribeOptions = Required<Omit<SubscribeOptions, 'export' | 'validate' | 'lanes' | 'breaker'>> & {
  readonly export: string;
  readonly validate: StandardSchema | undefined;
  readonly lanes: number;
  readonly breaker: BreakerOptions | false;
  readonly breakerName: string;
};

/** @throws BUSBAR_INVALID_OPTION */
export function resolveSubscribeOptions(
  pattern: string,
  options: SubscribeOptions,
  bus: ResolvedBusOptions,
): ResolvedSubscribeOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
  assertKnown('options', options, SUBSCRIBE_OPTIONS);
  const { subscriberId, breaker = {}, lanes = 1, validate } = options;
  assertSubscriberId(subscriberId);
  if (breaker !== false) SharedBreaker.allocate(breaker);
  assertSchema(validate);
  return {
    subscriberId,
    export: path('export', options.export ?? 'default'),
    lanes: lanes === 'auto' ? bus.threads : whole('lanes', lanes, 1, 256),
    timeoutMs: number('timeoutMs', options.timeoutMs ?? 30_000, 1),
    graceMs: number('graceMs', options.graceMs ?? 1000, 0),
    concurrency: whole('concurrency', options.concurrency ?? 1, 1, 1024),
    retry: { ...bus.retry, ...retry('retry', options.retry ?? {}) },
    breaker,
    breakerName: breakerNameOf(breaker, `${pattern}#${subscriberId}`),
    whenOpen: oneOf('whenOpen', options.whenOpen ?? 'hold', ['hold', 'dead-letter']),
    maxQueueSize: whole('maxQueueSize', options.maxQueueSize ?? bus.maxQueueSize, 1),
    maxQueueBytes: whole('maxQueueBytes', options.maxQueueBytes ?? bus.maxQueueBytes, 1),
    validate,
    bytes: oneOf('bytes', options.bytes ?? 'copy', ['copy', 'view']),
  };
}

const BUS_OPTIONS =
  'maxQueueSize maxQueueBytes enableErrorHandling errorLogDir threads spareThreads ringBytes resourceLimits retry redact clock'.split(
    ' ',
  );
const SUBSCRIBE_OPTIONS =
  'subscriberId export lanes timeoutMs graceMs concurrency retry breaker whenOpen maxQueueSize maxQueueBytes validate bytes'.split(
    ' ',
  );
const THREAD_LIMITS = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', 'codeRangeSizeMb', 'stackSizeMb'];

/** A misspelt option would otherwise be a default in silence. */
function assertKnown(what: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options))
    if (!known.includes(name)) throw invalidOption(what, `among ${known.join(', ')}`, name);
}

function whole(option: string, value: unknown, least: number, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  const range = most === Number.MAX_SAFE_INTEGER ? `>= ${least}` : `from ${least} to ${most}`;
  throw invalidOption(option, `a whole number ${range}`, value);
}

function number(option: string, value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isFinite(value) && value >= least) return value;
  throw invalidOption(option, `a number >= ${least}`, value);
}

function flag(option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidOption(option, 'true or false', value);
}

function path(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value;
  throw invalidOption(option, 'a text', value);
}

function oneOf<T extends string>(option: string, value: unknown, allowed: readonly T[]): T {
  if (allowed.includes(value as T)) return value as T;
  throw invalidOption(option, allowed.map((name) => `'${name}'`).join(' or '), value);
}

function assertSubscriberId(id: unknown): void {
  if (typeof id === 'string' && id !== '' && id.length <= 256) return;
  throw invalidOption('subscriberId', 'a text of 1 to 256 characters', id);
}

function breakerNameOf(breaker: SubscribeOptions['breaker'], byDefault: string): string {
  return breaker === false || breaker?.name === undefined ? byDefault : path('breaker.name', breaker.name);
}

function assertSchema(validate: unknown): void {
  if (validate === undefined) return;
  const standard = (validate as { '~standard'?: { validate?: unknown } } | null)?.['~standard'];
  if (typeof standard?.validate !== 'function') throw invalidOption('validate', 'a Standard Schema', validate);
}

function retry(option: string, overrides: unknown): RetryOverrides {
  if (typeof overrides !== 'object' || overrides === null)
    throw invalidOption(option, 'an object by category', overrides);
  const categories = Object.values(ErrorCategory) as string[];
  for (const [category, config] of Object.entries(overrides)) {
    if (!categories.includes(category)) throw invalidOption(option, `keyed by ${categories.join(', ')}`, category);
    assertRetryConfig(`${option}.${category}`, config);
  }
  return overrides as RetryOverrides;
}

/** Node accepts nonsense here in silence. */
function threadLimits(limits: unknown): ThreadLimits {
  if (typeof limits !== 'object' || limits === null) throw invalidOption('resourceLimits', 'an object', limits);
  assertKnown('resourceLimits', limits, THREAD_LIMITS);
  for (const [name, value] of Object.entries(limits)) number(`resourceLimits.${name}`, value, 1);
  return limits as ThreadLimits;
}
