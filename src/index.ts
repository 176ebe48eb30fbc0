// The front door: everything that users of busbar may import from it.
export { MessageBus } from './bus.js';
export type { CriticalHook } from './escalation.js';
export type { BusEvents } from './events.js';
export type { RetryConfig } from './failure/backoff.js';
export type { RetryBudgetOptions } from './failure/budget.js';
export {
  ErrorRecoveryManager,
  type RecoveryContext,
  type RecoveryOptions,
  type RecoveryStrategy,
} from './failure/recovery.js';
export type { RetryOverrides } from './failure/retry-config.js';
export { DeadLetterQueue, type DeadLetterQueueOptions, type LetterChanges } from './observe/dead-letter-queue.js';
export { ErrorLogger, type ErrorLoggerOptions } from './observe/error-logger.js';
export type { GivenReport } from './observe/given-report.js';
export type { GivenUpMessage } from './observe/given-up.js';
export type { AdaptiveTimeoutOptions, MessageBusOptions, Overflow, StopOptions, SubscribeOptions } from './options.js';
export type { BreakerOptions, CircuitState } from './shared/breaker.js';
export { BreakerOpenError, CircuitBreaker, type CircuitBreakerOptions } from './shared/circuit-breaker.js';
export { type Classification, type ClassifyOptions, classifyError } from './shared/classify.js';
export type { Clock, Timer } from './shared/clock.js';
export { EncodedPayload } from './shared/encoded-payload.js';
export { BusbarError, type ErrorCode } from './shared/errors.js';
export {
  type Breaker,
  deadLetter,
  defineHandler,
  discard,
  type Handler,
  type HandlerContext,
  type HandlerDefinition,
  type HandlerOptions,
  type HandlerRule,
  HandlerVerdict,
  type Middleware,
  type PayloadCodec,
  retryLater,
  type StandardSchema,
} from './shared/handler.js';
export type {
  ControlHealth,
  HealthLevel,
  HealthStatus,
  LoggingHealth,
  SubscriptionHealth,
} from './shared/health-status.js';
export type {
  ErrorFilter,
  ErrorStatistics,
  LetterChoice,
  LetterFilter,
  LetterGroup,
  LetterState,
  LetterStats,
  LetterSummary,
  StoredLetter,
} from './shared/logging-task.js';
export type { Headers, Ordering, Priority } from './shared/message.js';
export type { Moment } from './shared/moment.js';
export type { PublishOptions, RequestOptions } from './shared/publish-options.js';
export type { ReconnectHook } from './shared/reconnector.js';
export type { RedactOptions } from './shared/redact.js';
export type { ReplayOptions, ReplayResult, SkipReason } from './shared/replay.js';
export {
  type DeadLetter,
  type DeadLetterReason,
  ErrorCategory,
  type ErrorPhase,
  type ErrorRecord,
  type ErrorReport,
  ErrorSeverity,
} from './shared/report.js';
export type { Subscription } from './subscription.js';
export type { RateLimitOptions } from './threads/rate-limit.js';
export type { ThreadLimits } from './threads/thread-limits.js';
export type { AnyTopics, HandlerLike, KnownPattern, PayloadOf } from './topic-types.js';
