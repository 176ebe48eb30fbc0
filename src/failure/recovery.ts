// Decides what becomes of a failure: another attempt after a wait, or the dead-letter queue.

import type { CircuitState } from '../shared/breaker.js';
import { type Clock, systemClock } from '../shared/clock.js';
import { peekText } from '../shared/hostile.js';
import { assertKnown, fields } from '../shared/option-checks.js';
import { createRedactor } from '../shared/redact.js';
import { copyOfReport, type DeadLetterReason, ErrorCategory, type ErrorReport } from '../shared/report.js';
import { within } from '../shared/within.js';
import { backoffMs, type RetryConfig } from './backoff.js';
import {
  assertCategory,
  assertRetryConfig,
  isRetriedByDefault,
  type RetryOverrides,
  retryConfig,
  retryOverrides,
} from './retry-config.js';

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

/** Options of an {@link ErrorRecoveryManager}. */
export interface RecoveryOptions {
  /** By category; what is left out is that category's default. */
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
  constructor(options: RecoveryOptions = {}) {
    assertKnown('options', fields('options', options), ['retryConfigs', 'recoveryStrategies', 'random', 'clock']);
    const { retryConfigs = {}, recoveryStrategies = {}, random = Math.random, clock = systemClock } = options;
    const given = retryOverrides('retryConfigs', retryConfigs);
    for (const category of Object.keys(recoveryStrategies)) assertCategory('recoveryStrategies', category);
    this.retryConfigs = Object.fromEntries(
      Object.values(ErrorCategory).map((category) => [category, retryConfig(category, given[category])]),
    ) as Record<ErrorCategory, RetryConfig>;
    this.recoveryStrategies = { ...recoveryStrategies };
    this.#random = random;
    this.#clock = clock;
  }

  /**
   * Decides by the retry configuration alone.
   *
   * @throws BUSBAR_INVALID_OPTION when `retryConfigs` was changed to something that makes no sense
   */
  decide(facts: FailureFacts, overrides: RetryOverrides = {}): Verdict {
    const { category, failedInRow, elapsedMs, retryAfterMs } = facts;
    const own = this.retryConfigs[category];
    assertRetryConfig(`retryConfigs.${category}`, own);
    const config = retryConfig(category, own, overrides[category]);
    if (config.maxRetries === 0 && !isRetriedByDefault(category))
      return { kind: 'dead-letter', reason: 'not_retryable' };
    const hint = retryAfterMs === undefined ? undefined : Math.min(retryAfterMs, config.maxBackoffMs ?? retryAfterMs);
    const delayMs = hint ?? backoffMs(config, failedInRow, this.#random);
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
   * False when there is none or this is no report, when it throws, answers with anything but true, or has not answered within
   * 10 s. Never rejects.
   */
  async attemptRecovery(report: ErrorReport, context: RecoveryContext = {}): Promise<boolean> {
    if (typeof report !== 'object' || report === null) return false;
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
