// Fills in the defaults of options, and refuses bad ones.
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { checkedRetryBudget } from './failure/budget.js';
import { retryOverrides } from './failure/retry-config.js';
import type { AdaptiveTimeoutOptions, MessageBusOptions, StopOptions, SubscribeOptions } from './options.js';
import type { ResolvedBusOptions, ResolvedSubscribeOptions } from './resolved-options.js';
import { type BreakerOptions, SharedBreaker } from './shared/breaker.js';
import { systemClock } from './shared/clock.js';
import type { DeadlineRule } from './shared/deadline.js';
import { invalidOption } from './shared/errors.js';
import { assertCodec, type CodecChoice } from './shared/handler.js';
import { assertKnown, fields, flag, hook, number, oneOf, path, positive, whole } from './shared/option-checks.js';
import { createRedactor } from './shared/redact.js';
import { allocateRing } from './shared/ring.js';
import { TEST_HOOKS, type TestHooks } from './shared/test-hooks.js';
import type { RateLimitOptions } from './threads/rate-limit.js';
import type { ThreadLimits } from './threads/thread-limits.js';
import type { TransportMaker } from './transport/transport.js';

const MEBIBYTE = 1024 * 1024;
const SMALLEST_RING_BYTES = 64 * 1024;

/** @throws BUSBAR_INVALID_OPTION */
export function resolveBusOptions(options: MessageBusOptions): ResolvedBusOptions {
  assertKnown('options', fields('options', options), BUS_OPTIONS);
  const cores = availableParallelism();
  const resolved = {
    ...resolveSizes(options),
    dedupeWindowMs: number('dedupeWindowMs', options.dedupeWindowMs ?? 0, 0),
    enableErrorHandling: flag('enableErrorHandling', options.enableErrorHandling ?? true),
    errorLogDir: resolve(path('errorLogDir', options.errorLogDir ?? 'data/logs/message_bus')),
    maxLogSize: whole('maxLogSize', options.maxLogSize ?? 10 * MEBIBYTE, 1024),
    maxLogFiles: whole('maxLogFiles', options.maxLogFiles ?? 5, 1),
    threads: whole('threads', options.threads ?? Math.max(1, cores - 1), 1, 256),
    spareThreads: whole('spareThreads', options.spareThreads ?? (cores > 1 ? 1 : 0), 0, 16),
    resourceLimits: threadLimits(options.resourceLimits ?? {}),
    retry: retryOverrides('retry', options.retry ?? {}),
    retryBudget: checkedRetryBudget(options.retryBudget),
    breakers: breakers(options.breakers),
    onCritical: hook('onCritical', options.onCritical),
    redact: options.redact ?? {},
    clock: options.clock ?? systemClock,
    codec: busCodec(options.codec),
    testing: hooksOf(options),
    transport: transportOf(options.transport),
  };
  createRedactor(resolved.redact);
  if (typeof resolved.clock.elapsed !== 'function') throw invalidOption('clock', 'a clock', resolved.clock);
  return resolved;
}

function resolveSizes({ maxQueueSize, maxQueueBytes, maxMessageBytes, ringBytes = MEBIBYTE }: MessageBusOptions) {
  whole('ringBytes', ringBytes, SMALLEST_RING_BYTES);
  allocateRing(ringBytes);
  return {
    ringBytes,
    maxQueueSize: whole('maxQueueSize', maxQueueSize ?? 10_000, 1),
    maxQueueBytes: whole('maxQueueBytes', maxQueueBytes ?? 64 * MEBIBYTE, 1),
    maxMessageBytes: whole('maxMessageBytes', maxMessageBytes ?? 64 * MEBIBYTE, 1, 1024 * MEBIBYTE),
  };
}

/** @throws BUSBAR_INVALID_OPTION */
export function resolveSubscribeOptions(
  pattern: string,
  options: SubscribeOptions,
  bus: ResolvedBusOptions,
): ResolvedSubscribeOptions {
  assertKnown('options', fields('options', options, 'an object with a subscriberId'), SUBSCRIBE_OPTIONS);
  const { subscriberId, breaker = {}, lanes = 1, validate } = options;
  assertSubscriberId(subscriberId);
  assertSchema(validate);
  return {
    subscriberId,
    export: path('export', options.export ?? 'default'),
    lanes: lanes === 'auto' ? bus.threads : whole('lanes', lanes, 1, 256, "'auto' or "),
    ordering: oneOf('ordering', options.ordering ?? 'key', ['key', 'strict', 'none']),
    deadline: deadlineRule(number('timeoutMs', options.timeoutMs ?? 30_000, 1), options.adaptiveTimeout),
    graceMs: number('graceMs', options.graceMs ?? 1000, 0),
    setupTimeoutMs: positive('setupTimeoutMs', options.setupTimeoutMs ?? 30_000),
    concurrency: concurrency(options.concurrency ?? 1, options.ordering),
    retry: retryOverrides('retry', options.retry ?? {}),
    reconnect: hook('reconnect', options.reconnect),
    breaker: subscriptionBreaker(breaker),
    breakerName: breakerNameOf(breaker, `${pattern}#${subscriberId}`),
    whenOpen: oneOf('whenOpen', options.whenOpen ?? 'hold', ['hold', 'dead-letter']),
    whenExhausted: oneOf('whenExhausted', options.whenExhausted ?? 'dead-letter', ['dead-letter', 'discard']),
    maxQueueSize: whole('maxQueueSize', options.maxQueueSize ?? bus.maxQueueSize, 1),
    maxQueueBytes: whole('maxQueueBytes', options.maxQueueBytes ?? bus.maxQueueBytes, 1),
    rateLimit: rateLimit(options.rateLimit),
    overflow: options.overflow === undefined ? undefined : oneOf('overflow', options.overflow, OVERFLOWS),
    validate,
    bytes: oneOf('bytes', options.bytes ?? 'copy', ['copy', 'view']),
    codec: codec(options.codec, bus),
  };
}

const BUS_OPTIONS = [
  'maxQueueSize',
  'maxQueueBytes',
  'enableErrorHandling',
  'errorLogDir',
  'threads',
  'spareThreads',
  'ringBytes',
  'codec',
  'maxMessageBytes',
  'dedupeWindowMs',
  'resourceLimits',
  'retry',
  'maxLogSize',
  'maxLogFiles',
  'retryBudget',
  'breakers',
  'onCritical',
  'redact',
  'clock',
  'transport',
];
const SUBSCRIBE_OPTIONS = [
  'subscriberId',
  'export',
  'lanes',
  'ordering',
  'timeoutMs',
  'adaptiveTimeout',
  'graceMs',
  'setupTimeoutMs',
  'concurrency',
  'rateLimit',
  'retry',
  'reconnect',
  'breaker',
  'whenOpen',
  'whenExhausted',
  'maxQueueSize',
  'maxQueueBytes',
  'overflow',
  'validate',
  'bytes',
  'codec',
];
const CODECS = ['clone', 'json'] as const;
const OVERFLOWS = ['reject', 'drop-oldest', 'drop-low', 'dead-letter'] as const;
const THREAD_LIMITS = ['maxOldGenerationSizeMb', 'maxYoungGenerationSizeMb', 'codeRangeSizeMb', 'stackSizeMb'];

/**
 * How long to wait for what waits, in milliseconds.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function drainTimeOf(options: StopOptions): number {
  assertKnown('options', fields('options', options), ['drain', 'timeoutMs']);
  const { drain = true, timeoutMs = 10_000 } = options;
  if (!(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    throw invalidOption('timeoutMs', 'a number of milliseconds >= 0', timeoutMs);
  }
  return flag('drain', drain) ? timeoutMs : 0;
}

function busCodec(value: unknown = 'clone'): 'clone' | 'json' {
  return oneOf('codec', value, CODECS);
}

function codec(given: CodecChoice | undefined, { transport, codec: itsBus }: ResolvedBusOptions): CodecChoice {
  const value = given ?? itsBus;
  if (transport !== null && value !== itsBus)
    throw invalidOption('codec', 'left out where there is a transport', value);
  if (typeof value === 'string') return busCodec(value);
  assertCodec('codec', value);
  return value;
}

function concurrency(value: unknown, ordering: unknown): number {
  if (ordering === 'strict' && value !== 1) throw invalidOption('concurrency', "1 where ordering is 'strict'", value);
  return whole('concurrency', value, 1, 1024);
}

function deadlineRule(timeoutMs: number, adaptive: unknown = {}): DeadlineRule {
  if (adaptive === false) return { timeoutMs, maxTimeoutMs: timeoutMs, minTimeoutMs: timeoutMs, isObserved: false };
  const given = fields('adaptiveTimeout', adaptive, 'an object or false');
  assertKnown('adaptiveTimeout', given, ['maxTimeoutMs', 'observed', 'minTimeoutMs']);
  const {
    maxTimeoutMs = 4 * timeoutMs,
    observed = false,
    minTimeoutMs = timeoutMs / 10,
  } = given as AdaptiveTimeoutOptions;
  const rule = {
    timeoutMs,
    maxTimeoutMs: number('adaptiveTimeout.maxTimeoutMs', maxTimeoutMs, timeoutMs),
    minTimeoutMs: number('adaptiveTimeout.minTimeoutMs', minTimeoutMs, Number.MIN_VALUE),
    isObserved: flag('adaptiveTimeout.observed', observed),
  };
  if (rule.minTimeoutMs <= rule.maxTimeoutMs) return rule;
  throw invalidOption('adaptiveTimeout.minTimeoutMs', `at most maxTimeoutMs, ${rule.maxTimeoutMs}`, minTimeoutMs);
}

/** Under a key that only busbar/testing has. */
function hooksOf(options: MessageBusOptions & { readonly [TEST_HOOKS]?: TestHooks }): TestHooks | null {
  return options[TEST_HOOKS] ?? null;
}

function rateLimit(value: unknown): RateLimitOptions | undefined {
  if (value === undefined) return undefined;
  const given = fields('rateLimit', value, '{ perSecond, burst }');
  assertKnown('rateLimit', given, ['perSecond', 'burst']);
  const perSecond = positive('rateLimit.perSecond', given['perSecond']);
  const { burst } = given as Partial<RateLimitOptions>;
  return burst === undefined ? { perSecond } : { perSecond, burst: whole('rateLimit.burst', burst, 1) };
}

function assertSubscriberId(id: unknown): void {
  if (typeof id === 'string' && id !== '' && id.length <= 256) return;
  throw invalidOption('subscriberId', 'a text of 1 to 256 characters', id);
}

function breakerNameOf(breaker: SubscribeOptions['breaker'], byDefault: string): string {
  return breaker === false || breaker?.name === undefined ? byDefault : path('breaker.name', breaker.name);
}

function subscriptionBreaker(breaker: unknown): BreakerOptions | false {
  if (breaker === false) return false;
  const { name: _name, ...options } = fields('breaker', breaker, 'an object or false');
  return breakerOptions('breaker', options);
}

function breakerOptions(option: string, options: unknown): BreakerOptions {
  const given = fields(option, options);
  SharedBreaker.allocate(given, `${option}.`);
  return given;
}

function assertSchema(validate: unknown): void {
  if (validate === undefined) return;
  const standard = (validate as { '~standard'?: { validate?: unknown } } | null)?.['~standard'];
  if (typeof standard?.validate !== 'function') throw invalidOption('validate', 'a Standard Schema', validate);
}

function breakers(byName: unknown = {}): Readonly<Record<string, BreakerOptions>> {
  const given = Object.entries(fields('breakers', byName, 'an object by name'));
  return Object.fromEntries(given.map(([name, options]) => [name, breakerOptions(`breakers.${name}`, options)]));
}

function transportOf(transport: unknown): TransportMaker | null {
  if (transport === undefined) return null;
  if (typeof (transport as TransportMaker | null)?.start === 'function') return transport as TransportMaker;
  throw invalidOption('transport', 'made by jetstream() of busbar/jetstream', transport);
}

/** Node accepts nonsense here in silence. */
function threadLimits(limits: object): ThreadLimits {
  assertKnown('resourceLimits', fields('resourceLimits', limits), THREAD_LIMITS);
  for (const [name, value] of Object.entries(limits)) number(`resourceLimits.${name}`, value, 1);
  return limits as ThreadLimits;
}
