// Decides what becomes of a failure: another attempt after a wait, or the dead-letter queue.

import type { CircuitState } from '../shared/breaker.js';
import { type Clock, systemClock } from '../shared/clock.js';
import { invalidOption } from '../shared/errors.js';
import { peekText } from '../shared/hostile.js';
import { assertKnown } from '../shared/option-checks.js';
import { createRedactor } from '../shared/redact.js';
import { copyOfReport, type DeadLetterReason, ErrorCategory, type ErrorReport } from '../shared/report.js';
import { within } from '../shared/within.js';
import { backoffMs, type RetryConfig } from './backoff.js';

/** What a strategy is told besides the report. */
export type RecoveryContext = Readonly<Record<string, unknown>>;

/** Tries to recover. True: recovered, so that another attempt makes sense. Throwing counts as false. */
export type RecoveryStrategy = (report: ErrorReport, context: RecoveryContext) => boolean | Promise<boolean>;

/** What is known about a failed delivery when its fate is decided. */
export interface FailureFacts {
  readonly category: ErrorCategory;
  /** Failed attempts of this category in a row, this one included. */
  readonly failedInRow: number;
  /** Milliseconds since the first failure. */
  readonly elapsedMs: number;
  /** A hint from the other side, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** What recovery decides. */
export type Verdict =
  | { readonly kind: 'retry'; readonly delayMs: number }
  | { readonly kind: 'dead-letter'; readonly reason: DeadLetterReason };

export type RetryOverrides = Partial<Record<ErrorCategory, RetryConfig>>;

/** Options of an {@link ErrorRecoveryManager}. */
export interface RecoveryOptions {
  /** By category; replaces the default of that category. */
  readonly retryConfigs?: RetryOverrides;
  /** By category; where there is one, its answer decides. */
  readonly recoveryStrategies?: Partial<Record<ErrorCategory, RecoveryStrategy>>;
  /** From 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
  /** Times out strategies. Default: the system's. */
  readonly clock?: Clock;
}

/** A strategy that has not answered by then counts as false, in milliseconds. */
const STRATEGY_TIMEOUT_MS = 10_000;

/** What a strategy throws is the user's text, and may hold the user's secrets. */
const redactor = createRedactor();

/** Runs on the main thread. */
export class ErrorRecoveryManager {
  /** How each category is retried; may be changed at any time. */
  readonly retryConfigs: Record<ErrorCategory, RetryConfig>;
  /** The user's own ways to recover; where there is one, its answer decides. */
  readonly recoveryStrategies: Partial<Record<ErrorCategory, RecoveryStrategy>>;
  readonly #random: () => number;
  readonly #clock: Clock;
  #breakerStatus: () => Record<string, CircuitState> = () => ({});

  /** @throws BUSBAR_INVALID_OPTION */
  constructor({
    retryConfigs = {},
    recoveryStrategies = {},
    random = Math.random,
    clock = systemClock,
  }: RecoveryOptions = {}) {
    for (const category of Object.keys(retryConfigs)) assertCategory('retryConfigs', category);
    for (const category of Object.keys(recoveryStrategies)) assertCategory('recoveryStrategies', category);
    this.retryConfigs = { ...defaultRetryConfigs(), ...retryConfigs };
    this.recoveryStrategies = { ...recoveryStrategies };
    this.#random = random;
    this.#clock = clock;
    for (const category of Object.values(ErrorCategory))
      assertRetryConfig(`retryConfigs.${category}`, this.retryConfigs[category]);
  }

  /**
   * Decides by the retry configuration alone.
   *
   * @throws BUSBAR_INVALID_OPTION when `retryConfigs` was changed to something that makes no sense
   */
  decide(facts: FailureFacts, overrides: RetryOverrides = {}): Verdict {
    const { category, failedInRow, elapsedMs, retryAfterMs } = facts;
    const config = overrides[category] ?? this.retryConfigs[category];
    assertRetryConfig(`retryConfigs.${category}`, config);
    if (config.maxRetries === 0) return { kind: 'dead-letter', reason: 'not_retryable' };
    const delayMs = retryAfterMs ?? backoffMs(config, failedInRow, this.#random);
    const isTooLate = elapsedMs + delayMs > (config.maxElapsedMs ?? Number.POSITIVE_INFINITY);
    if (failedInRow > config.maxRetries || isTooLate) return { kind: 'dead-letter', reason: 'retries_exhausted' };
    return { kind: 'retry', delayMs };
  }

  /** True when the user's own strategy decides about this category. */
  hasStrategy(category: ErrorCategory): boolean {
    return typeof this.recoveryStrategies[category] === 'function';
  }

  /**
   * Runs the category's strategy on a copy of the report, and writes into the report what came of it, unless that is frozen.
   * False when there is none, when it throws, answers with anything but true, or has not answered within 10 s. Never rejects.
   */
  async attemptRecovery(report: ErrorReport, context: RecoveryContext = {}): Promise<boolean> {
    const strategy = this.recoveryStrategies[report.category];
    Reflect.set(report, 'recovery_attempted', strategy !== undefined);
    const isRecovered = strategy !== undefined && (await this.#run(strategy, report, context));
    Reflect.set(report, 'recovery_successful', isRecovered);
    return isRecovered;
  }

  /** The state of each of the bus's breakers, by name; empty without a bus. */
  getCircuitBreakerStatus(): Record<string, CircuitState> {
    return this.#breakerStatus();
  }

  /** @internal */
  showBreakers(status: () => Record<string, CircuitState>): void {
    this.#breakerStatus = status;
  }

  async #run(strategy: RecoveryStrategy, report: ErrorReport, context: RecoveryContext): Promise<boolean> {
    try {
      const shown = copyOfReport(report);
      return (await within(this.#clock, STRATEGY_TIMEOUT_MS, () => strategy(shown, context), false)) === true;
    } catch (thrown) {
      const trouble = redactor.text(peekText(thrown, 'message', 200) ?? `thrown ${typeof thrown}`);
      Reflect.set(report.context, 'recovery_error', trouble);
      return false;
    }
  }
}

function defaultRetryConfigs(): Record<ErrorCategory, RetryConfig> {
  const none = (): RetryConfig => ({ maxRetries: 0, backoffMs: 0 });
  return {
    [ErrorCategory.CONNECTION_ERROR]: { maxRetries: 3, backoffMs: 2000 },
    [ErrorCategory.MESSAGE_PROCESSING_ERROR]: { maxRetries: 2, backoffMs: 1000 },
    [ErrorCategory.SERIALIZATION_ERROR]: { maxRetries: 1, backoffMs: 500 },
    [ErrorCategory.TIMEOUT_ERROR]: { maxRetries: 2, backoffMs: 1500 },
    [ErrorCategory.QUEUE_OVERFLOW]: none(),
    [ErrorCategory.RESOURCE_EXHAUSTION]: none(),
    [ErrorCategory.AUTHENTICATION_ERROR]: none(),
    [ErrorCategory.CONFIGURATION_ERROR]: none(),
  };
}

/** A misspelt category would otherwise be a default in silence. */
function assertCategory(option: string, category: string): void {
  const known: readonly string[] = Object.values(ErrorCategory);
  if (!known.includes(category)) throw invalidOption(option, `keyed by ${known.join(', ')}`, category);
}

/** @throws BUSBAR_INVALID_OPTION */
export function assertRetryConfig(option: string, config: unknown): asserts config is RetryConfig {
  if (typeof config !== 'object' || config === null) throw invalidOption(option, 'a retry configuration', config);
  assertKnown(option, config, ['maxRetries', 'backoffMs', 'factor', 'maxBackoffMs', 'maxElapsedMs', 'jitter']);
  const fields = config as Record<string, unknown>;
  if (!Number.isInteger(fields['maxRetries']) || (fields['maxRetries'] as number) < 0) {
    throw invalidOption(`${option}.maxRetries`, 'a whole number >= 0', fields['maxRetries']);
  }
  for (const [field, least] of [
    ['backoffMs', 0],
    ['factor', 1],
    ['maxBackoffMs', 0],
    ['maxElapsedMs', 0],
  ] as const) {
    const value = fields[field];
    if (value === undefined && field !== 'backoffMs') continue;
    if (typeof value === 'number' && Number.isFinite(value) && value >= least) continue;
    throw invalidOption(`${option}.${field}`, `a number >= ${least}`, value);
  }
  if (fields['jitter'] !== undefined && typeof fields['jitter'] !== 'boolean') {
    throw invalidOption(`${option}.jitter`, 'true or false', fields['jitter']);
  }
}
