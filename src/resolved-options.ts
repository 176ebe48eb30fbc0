// The options once their defaults are filled in. None of it is public.
import type { CriticalHook } from './escalation.js';
import type { MessageBusOptions, Overflow, SubscribeOptions } from './options.js';
import type { BreakerOptions } from './shared/breaker.js';
import type { DeadlineRule } from './shared/deadline.js';
import type { StandardSchema } from './shared/handler.js';
import type { ReconnectHook } from './shared/reconnector.js';
import type { ErrorReport } from './shared/report.js';
import type { TestHooks } from './shared/test-hooks.js';
import type { RateLimitOptions } from './threads/rate-limit.js';
import type { ThreadLimits } from './threads/thread-limits.js';
import type { TransportMaker } from './transport/transport.js';

/** Of a bus. */
export type ResolvedBusOptions = Required<Omit<MessageBusOptions, 'resourceLimits' | 'onCritical' | 'transport'>> & {
  readonly onCritical: CriticalHook | undefined;
  readonly resourceLimits: ThreadLimits;
  /** Null: the bus is not under test. */
  readonly testing: TestHooks | null;
  readonly transport: TransportMaker | null;
};

/** Of a subscription. */
export type ResolvedSubscribeOptions = Required<
  Omit<
    SubscribeOptions,
    | 'export'
    | 'validate'
    | 'lanes'
    | 'breaker'
    | 'reconnect'
    | 'timeoutMs'
    | 'adaptiveTimeout'
    | 'overflow'
    | 'rateLimit'
  >
> & {
  readonly overflow: Overflow | undefined;
  readonly rateLimit: RateLimitOptions | undefined;
  readonly reconnect: ReconnectHook<ErrorReport> | undefined;
  readonly deadline: DeadlineRule;
  readonly export: string;
  readonly validate: StandardSchema | undefined;
  readonly lanes: number;
  readonly breaker: BreakerOptions | false;
  readonly breakerName: string;
};
