// What the bus says about itself when asked: pure arithmetic on what its parts counted.
import type { CircuitState } from '../shared/breaker.js';
import type { ErrorStatistics } from '../shared/logging-task.js';
import type { LoggingHealth } from './logging.js';

/** One subscription's accounting: routed = succeeded + deadLettered + dropped + pending, in every snapshot. */
export interface SubscriptionHealth {
  readonly subscriberId: string;
  readonly pattern: string;
  /** Deliveries that matched, refused ones included. */
  readonly routed: number;
  /** Deliveries whose handler succeeded. */
  readonly succeeded: number;
  /** Deliveries whose letter is on the disk, or was dropped because the disk failed. */
  readonly deadLettered: number;
  /** Deliveries discarded by their handler, expired, or failed without error handling. */
  readonly dropped: number;
  /** Counted on its own: waiting, in flight, waiting for a retry, or on the way to the disk. */
  readonly pending: number;
  /** Deliveries whose handler runs now, as far as main can see. */
  readonly inFlight: number;
  /** Deliveries that wait for their next attempt. */
  readonly retrying: number;
  readonly lanes: number;
  /** Null: it has none. */
  readonly breaker: CircuitState | null;
  /** True while its lanes stand still: breaker open, or threads that keep dying. */
  readonly held: boolean;
}

export type HealthLevel = 'healthy' | 'degraded' | 'critical';

/** What `getHealthStatus()` returns. */
export interface HealthStatus {
  /** By success rate: above 0.95 and without a reason `healthy`, above 0.80 `degraded`, else `critical`. */
  readonly status: HealthLevel;
  /** What is wrong, in words; empty when nothing is. */
  readonly reasons: readonly string[];
  /** True between `start()` and `stop()`. */
  readonly running: boolean;
  /** Since `start()`; 0 when it does not run. */
  readonly uptimeSeconds: number;
  /** Deliveries settled. */
  readonly messagesProcessed: number;
  /** Deliveries dead-lettered or dropped because they failed. */
  readonly messagesFailed: number;
  /** Succeeded among those settled, from 0 to 1; 1 before any. */
  readonly successRate: number;
  /** Deliveries that succeeded after they had failed. */
  readonly errorsRecovered: number;
  /** Deliveries dropped in all subscriptions. */
  readonly messagesDropped: number;
  /** Messages that no subscription matched. */
  readonly unrouted: number;
  /** Deliveries pending in all subscriptions. */
  readonly mainQueueSize: number;
  readonly subscriptions: readonly SubscriptionHealth[];
  /** Worker threads: wanted, alive now, and replaced since the start because they ended under a handler. */
  readonly threads: { readonly configured: number; readonly alive: number; readonly replaced: number };
  /** Null when error handling is off. */
  readonly logging: LoggingHealth | null;
  /** Null when error handling is off. */
  readonly errorStatistics: ErrorStatistics | null;
  /** The state of each subscription's breaker, by name. */
  readonly circuitBreakerStatus: Readonly<Record<string, CircuitState>>;
}

/** What the bus counted. */
export interface HealthFacts {
  readonly running: boolean;
  readonly uptimeMs: number;
  readonly errorsRecovered: number;
  readonly unrouted: number;
  readonly subscriptions: readonly (SubscriptionHealth & { readonly breakerName: string; readonly storm: boolean })[];
  readonly threads: HealthStatus['threads'];
  readonly logging: LoggingHealth | null;
  readonly errorStatistics: ErrorStatistics | null;
}

const HEALTHY_ABOVE = 0.95;
const DEGRADED_ABOVE = 0.8;

export function healthOf(facts: HealthFacts): HealthStatus {
  const sum = (count: (s: SubscriptionHealth) => number): number =>
    facts.subscriptions.reduce((total, s) => total + count(s), 0);
  const succeeded = sum((s) => s.succeeded);
  const deadLettered = sum((s) => s.deadLettered);
  const dropped = sum((s) => s.dropped);
  const settled = succeeded + deadLettered + dropped;
  const successRate = settled === 0 ? 1 : succeeded / settled;
  const reasons = reasonsOf(facts, successRate);
  return {
    status: levelOf(successRate, reasons),
    reasons,
    running: facts.running,
    uptimeSeconds: facts.uptimeMs / 1000,
    messagesProcessed: settled,
    messagesFailed: deadLettered + dropped,
    successRate,
    errorsRecovered: facts.errorsRecovered,
    messagesDropped: dropped,
    unrouted: facts.unrouted,
    mainQueueSize: sum((s) => s.pending),
    subscriptions: facts.subscriptions.map(({ breakerName: _name, storm: _storm, ...subscription }) => subscription),
    threads: facts.threads,
    logging: facts.logging,
    errorStatistics: facts.errorStatistics,
    circuitBreakerStatus: Object.fromEntries(
      facts.subscriptions.flatMap(({ breakerName, breaker }) => (breaker === null ? [] : [[breakerName, breaker]])),
    ),
  };
}

function levelOf(successRate: number, reasons: readonly string[]): HealthLevel {
  if (successRate <= DEGRADED_ABOVE) return 'critical';
  return successRate <= HEALTHY_ABOVE || reasons.length > 0 ? 'degraded' : 'healthy';
}

function reasonsOf({ subscriptions, logging }: HealthFacts, successRate: number): string[] {
  const reasons: string[] = [];
  if (successRate <= HEALTHY_ABOVE)
    reasons.push(`only ${(successRate * 100).toFixed(1)} % of the deliveries succeeded`);
  for (const { breakerName, breaker, storm } of subscriptions) {
    if (breaker !== null && breaker !== 'closed' && breaker !== 'disabled')
      reasons.push(`breaker ${breakerName} is ${breaker}`);
    if (storm) reasons.push(`threads of ${breakerName} keep dying; the lane is held`);
  }
  if (logging !== null) {
    if (!logging.up) reasons.push('the logging worker is down');
    if (logging.unpersisted > 0) reasons.push(`${logging.unpersisted} dead letters are not on the disk yet`);
    if (logging.lostLetters > 0) reasons.push(`${logging.lostLetters} dead letters were lost`);
  }
  return reasons;
}
