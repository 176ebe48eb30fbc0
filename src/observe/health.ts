// What the bus says about itself when asked: arithmetic on what its parts counted, done again when that has changed.
import type {
  ControlHealth,
  HealthLevel,
  HealthStatus,
  LoggingHealth,
  SubscriptionHealth,
  TransportHealth,
} from '../shared/health-status.js';
import type { ErrorStatistics } from '../shared/logging-task.js';
import type { RecentSuccess } from './recent-outcomes.js';
import { reasonsOfTrends, type Trends } from './trends.js';

/** What the bus counted. */
export interface HealthFacts {
  readonly running: boolean;
  /** `new` until it is started; `ended` once `stop()` closes what it is made of. Only in between its parts should be up. */
  readonly life: 'new' | 'begun' | 'ended';
  /** Whole ones: what is asked twice within a second is the same, if nothing happened. */
  readonly uptimeSeconds: number;
  readonly errorsRecovered: number;
  readonly unrouted: number | null;
  readonly duplicates: number;
  readonly subscriptions: readonly (SubscriptionHealth & { readonly breakerName: string; readonly storm: boolean })[];
  /** The state of each breaker, by name. */
  readonly breakers: HealthStatus['circuitBreakerStatus'];
  /** The failure that stopped the bus; null: none has. */
  readonly emergency: string | null;
  readonly threads: HealthStatus['threads'];
  readonly logging: LoggingHealth | null;
  readonly control: ControlHealth | null;
  readonly transport: TransportHealth | null;
  readonly errorStatistics: ErrorStatistics | null;
  readonly trends: Trends;
  readonly recent: RecentSuccess;
}

const HEALTHY_ABOVE = 0.95;
const DEGRADED_ABOVE = 0.8;

/** Belongs to one bus. */
export class Health {
  #facts: HealthFacts | undefined;
  #status: HealthStatus | undefined;

  /** The same object as before while the facts are the same. */
  of(facts: HealthFacts): HealthStatus {
    if (this.#status === undefined || !isSame(facts, this.#facts)) this.#status = healthOf(facts);
    this.#facts = facts;
    return this.#status;
  }
}

/** Of plain data. */
function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const keys = Object.keys(one);
  if (keys.length !== Object.keys(other).length) return false;
  for (const key of keys) {
    if (!isSame((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key])) return false;
  }
  return true;
}

function healthOf(facts: HealthFacts): HealthStatus {
  const sum = (count: (s: SubscriptionHealth) => number): number =>
    facts.subscriptions.reduce((total, s) => total + count(s), 0);
  const succeeded = sum((s) => s.succeeded);
  const deadLettered = sum((s) => s.deadLettered);
  const dropped = sum((s) => s.dropped);
  const settled = succeeded + deadLettered + dropped;
  const reasons = reasonsOf(facts);
  return {
    status: levelOf(facts.recent.rate, reasons),
    reasons,
    running: facts.running,
    uptimeSeconds: facts.uptimeSeconds,
    messagesProcessed: settled,
    messagesFailed: deadLettered + dropped,
    successRate: settled === 0 ? 1 : succeeded / settled,
    recentSuccessRate: facts.recent.rate,
    errorsRecovered: facts.errorsRecovered,
    messagesDropped: dropped,
    unrouted: facts.unrouted,
    duplicates: facts.duplicates,
    mainQueueSize: sum((s) => s.pending),
    subscriptions: facts.subscriptions.map(({ breakerName: _name, storm: _storm, ...subscription }) => subscription),
    threads: facts.threads,
    logging: facts.logging,
    control: facts.control,
    transport: facts.transport,
    errorStatistics: facts.errorStatistics,
    circuitBreakerStatus: facts.breakers,
  };
}

function levelOf(recentRate: number, reasons: readonly string[]): HealthLevel {
  if (recentRate <= DEGRADED_ABOVE) return 'critical';
  return recentRate <= HEALTHY_ABOVE || reasons.length > 0 ? 'degraded' : 'healthy';
}

function reasonsOf(facts: HealthFacts): string[] {
  const { subscriptions, breakers, emergency, logging, transport, recent, life } = facts;
  const reasons = reasonsOfTrends(facts.trends);
  if (life === 'new') reasons.push('the bus was not started');
  if (emergency !== null) reasons.push(`stopped in an emergency: ${emergency}`);
  if (recent.rate <= HEALTHY_ABOVE) {
    const share = `${(recent.rate * 100).toFixed(1)} %`;
    reasons.push(`only ${share} of the deliveries of the last ${recent.minutes} minutes succeeded`);
  }
  for (const [name, state] of Object.entries(breakers)) {
    if (state !== 'closed' && state !== 'disabled') reasons.push(`breaker ${name} is ${state}`);
  }
  reasons.push(...subscriptions.flatMap(reasonsOfSubscription));
  const shouldBeUp = life === 'begun';
  if (transport !== null) reasons.push(...reasonsOfTransport(transport, shouldBeUp));
  return logging === null ? reasons : [...reasons, ...reasonsOfLogging(logging, shouldBeUp)];
}

function reasonsOfSubscription(subscription: HealthFacts['subscriptions'][number]): string[] {
  const { breakerName, storm, pressed, putOffOften } = subscription;
  const reasons: string[] = [];
  if (pressed) reasons.push(`the queue of ${breakerName} is nearly full`);
  if (putOffOften > 0) {
    const waiting = putOffOften === 1 ? 'a delivery' : `${putOffOften} deliveries`;
    reasons.push(`the handler of ${breakerName} has put ${waiting} off ten times or more`);
  }
  if (storm) reasons.push(`threads of ${breakerName} keep dying; the lane is held`);
  return reasons;
}

function reasonsOfLogging(logging: LoggingHealth, shouldBeUp: boolean): string[] {
  const reasons: string[] = [];
  if (!logging.up && shouldBeUp) reasons.push('the logging worker is down');
  const { failingSince, logFailing } = logging;
  const what = logFailing ? 'the error log' : 'the log folder';
  if (failingSince !== null) {
    reasons.push(`${what} cannot be written since ${new Date(failingSince * 1000).toISOString()}`);
  }
  if (logging.unpersisted > 0) reasons.push(`${logging.unpersisted} dead letters are not on the disk yet`);
  if (logging.lostReports > 0) reasons.push(`${logging.lostReports} error reports were lost`);
  if (logging.lostLogLines > 0) reasons.push(`${logging.lostLogLines} lines of the error log were lost`);
  if (logging.corruptLines > 0) reasons.push(`${logging.corruptLines} damaged lines were set aside`);
  if (logging.lostLetters > 0) reasons.push(`${logging.lostLetters} dead letters were lost`);
  return reasons;
}

function reasonsOfTransport({ name, connected, unstoredLetters }: TransportHealth, shouldBeUp: boolean): string[] {
  const reasons: string[] = [];
  if (!connected && shouldBeUp) reasons.push(`${name} has no connection`);
  if (unstoredLetters > 0) reasons.push(`${unstoredLetters} dead letters are not stored yet`);
  return reasons;
}
