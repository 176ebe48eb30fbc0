// The words of a bus's health, as its users and the command line read it.
import type { CircuitState } from './breaker.js';
import type { ErrorStatistics } from './logging-task.js';

/** How the logging worker does, as far as it is known on main without asking. */
export interface LoggingHealth {
  /** True while the worker runs and owns its folder. */
  readonly up: boolean;
  /** Times the worker died and was replaced. */
  readonly restarts: number;
  /** Error reports that found no room; the log says how many. */
  readonly lostReports: number;
  /** Letters in the queue, archived ones included. */
  readonly deadLetters: number;
  /** Dead letters that are not on the disk yet because it fails. */
  readonly unpersisted: number;
  /** Dead letters dropped because too many could not be written. */
  readonly lostLetters: number;
  /** Damaged lines set aside in `*.corrupt` files, since the start. */
  readonly corruptLines: number;
  /** Unfinished last lines that were cut off, since the start. */
  readonly tornTails: number;
  /** Times the disk refused, since the start. */
  readonly failedWrites: number;
  /** Since when it refuses, in seconds since 1970; null: it does not. */
  readonly failingSince: number | null;
  /** True while the error log cannot be written; its lines wait in memory, up to 1 MiB. */
  readonly logFailing: boolean;
  /** Log lines dropped because too many could not be written. */
  readonly lostLogLines: number;
}

/** The local socket that the command line reaches this bus by. Trouble with it does not touch `status`. */
export interface ControlHealth {
  readonly listening: boolean;
  /** Of the socket. */
  readonly path: string;
  /** What went wrong last; null: nothing. */
  readonly error: string | null;
}

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
  /** Deliveries that wait for their next attempt, or, published with `delayMs`, for their first. */
  readonly retrying: number;
  /** Deliveries that wait, and that their handler has put off ten times or more: it threw `retryLater`, which has no limit. */
  readonly putOffOften: number;
  readonly lanes: number;
  /** Null: it has none. */
  readonly breaker: CircuitState | null;
  /** True while its lanes stand still: breaker open, or threads that keep dying. */
  readonly held: boolean;
  /** True between `pause()` and `resume()` of its handle. */
  readonly paused: boolean;
  /** True from the moment that 80 % of its queue is full until half of it is free. */
  readonly pressed: boolean;
}

/** What a transport says about itself. */
export interface TransportHealth {
  readonly name: string;
  readonly connected: boolean;
  readonly breaker: CircuitState;
  /** Times the connection was lost since the start. */
  readonly disconnects: number;
  /** Messages published here that are neither stored nor dead letters yet. */
  readonly unstored: number;
  /** Messages that were not taken: the buffer was full, the policy refuses, or they are too large and error handling is off. */
  readonly refused: number;
  /**
   * Messages that were taken, and that the servers never had: they are dead letters with the reason `unpublished` now, on this
   * machine. With error handling off, they are gone.
   */
  readonly unpublished: number;
  /** Dead letters that are not stored yet. */
  readonly unstoredLetters: number;
  /** Dead letters of all processes on the servers, archived ones included; null: not known yet. */
  readonly deadLetters: number | null;
  /** Whole seconds since the servers said so: asked every five, while there is a connection. Null: not known yet. */
  readonly deadLettersAgeSeconds: number | null;
}

export type HealthLevel = 'healthy' | 'degraded' | 'critical';

/** What `getHealthStatus()` returns: a snapshot, and the same object again while nothing has changed. */
export interface HealthStatus {
  /** By `recentSuccessRate`: above 0.95 and without a reason `healthy`, above 0.80 `degraded`, else `critical`. */
  readonly status: HealthLevel;
  /** What is wrong, in words; empty when nothing is. */
  readonly reasons: readonly string[];
  /** True between `start()` and `stop()`. */
  readonly running: boolean;
  /** Whole seconds since `start()`; 0 when it does not run. */
  readonly uptimeSeconds: number;
  /** Deliveries settled. */
  readonly messagesProcessed: number;
  /** Deliveries dead-lettered or dropped because they failed. */
  readonly messagesFailed: number;
  /** Succeeded among those settled since the start, from 0 to 1; 1 before any. */
  readonly successRate: number;
  /**
   * The same of those settled within the last five minutes; within the last hour, where they are fewer than 20. Within a
   * quarter of a minute.
   */
  readonly recentSuccessRate: number;
  /** Deliveries that succeeded after they had failed. */
  readonly errorsRecovered: number;
  /** Deliveries dropped in all subscriptions. */
  readonly messagesDropped: number;
  /** Messages that no subscription matched. Null with a transport: only its servers know who has subscribed. */
  readonly unrouted: number | null;
  /** Messages that were not routed, for they had been within `dedupeWindowMs`. */
  readonly duplicates: number;
  /** Deliveries pending in all subscriptions. */
  readonly mainQueueSize: number;
  readonly subscriptions: readonly SubscriptionHealth[];
  /**
   * Worker threads: wanted, alive now (none before the first handler that is to run on them), and replaced since the start
   * because they ended under a handler.
   */
  readonly threads: { readonly configured: number; readonly alive: number; readonly replaced: number };
  /** Null when error handling is off. */
  readonly logging: LoggingHealth | null;
  /** Null: all is in memory. */
  readonly transport: TransportHealth | null;
  /** Null when error handling is off. */
  readonly control: ControlHealth | null;
  /** Null when error handling is off. */
  readonly errorStatistics: ErrorStatistics | null;
  /** The state of each breaker, by name: of subscriptions, of the options, and of those that handlers asked for. */
  readonly circuitBreakerStatus: Readonly<Record<string, CircuitState>>;
}
