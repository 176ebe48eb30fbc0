// What main sends to a lane worker as a Piscina task, and what comes back when the task ends.
import type { BreakersMemory, LaidBreaker } from './breaker-directory.js';
import type { DeadlineRule } from './deadline.js';
import type { LaneNames } from './delivery.js';
import type { LaneTesting } from './fault-plan.js';
import type { Observation } from './observation.js';
import type { LaneOrder } from './order.js';
import type { RedactOptions } from './redact.js';
import type { ErrorCategory, ErrorRecord } from './report.js';

/** Where a handler's module lies. */
export interface HandlerSource {
  /** `file:` URL of the module. */
  readonly url: string;
  readonly exportName: string;
  /** The name of the codec that its definition must have; null: none. */
  readonly codec: string | null;
  /** A thread on which it takes longer than this to load and set up is ended, in milliseconds. */
  readonly setupTimeoutMs: number;
}

/** The same for the same handler. */
export function handlerKey({ url, exportName, codec }: Omit<HandlerSource, 'setupTimeoutMs'>): string {
  return `${url}#${exportName} ${codec ?? ''}`;
}

/** What each thread is given when it begins: how main and the threads speak of teardowns; see `TeardownMessage`. */
export interface TeardownLink {
  /** Name of the channel. */
  readonly channel: string;
  /** One word: how many times a thread has said that it has set up such a handler. */
  readonly setUps: SharedArrayBuffer;
}

/** Words that the thread writes which loads handlers. */
export const Progress = {
  /** How many of them it has come to, from 1 on; 0: no thread has taken the task. Main waits on it. */
  COUNT: 0,
  /** 1: the last one's module is imported. */
  SETTING_UP: 1,
} as const;

export const PROGRESS_BYTES = 8;

/** Loads a handler, to find out early whether it can be. */
interface LoadTask {
  readonly kind: 'load';
  readonly handler: HandlerSource;
  readonly redact: RedactOptions;
  /** See {@link Progress}. */
  readonly progress: SharedArrayBuffer;
}

/** Loads handlers, one after the other, that the thread may be asked for later. One that fails tells so when it is asked for. */
interface WarmTask {
  readonly kind: 'warm';
  readonly handlers: readonly HandlerSource[];
  /** See {@link Progress}. */
  readonly progress: SharedArrayBuffer;
}

/** Reads a lane's rings and calls the handler until told to give the thread back. */
export interface DrainTask {
  readonly kind: 'drain';
  /** Another one for each drain of a lane, above 0. */
  readonly number: number;
  readonly handler: HandlerSource;
  readonly names: LaneNames;
  /** By priority, lowest first; null: not in use yet. */
  readonly rings: readonly (SharedArrayBuffer | null)[];
  /** Payloads that do not lie in their records, by the number of their message. */
  readonly large: readonly (readonly [number: number, memory: ArrayBufferLike])[];
  readonly outbox: SharedArrayBuffer;
  /** The lane's doorbell, on which the drain sleeps. */
  readonly bell: SharedArrayBuffer;
  /** Main's doorbell. */
  readonly mainBell: SharedArrayBuffer;
  /** See `Turn`. */
  readonly turn: SharedArrayBuffer;
  /** Memory of the bus's clock; null: it is the system's. */
  readonly time: SharedArrayBuffer | null;
  /** Null: no breaker. */
  readonly breaker: LaidBreaker | null;
  /** Those that handlers can name. */
  readonly breakers: BreakersMemory;
  readonly whenOpen: 'hold' | 'dead-letter';
  readonly deadline: DeadlineRule;
  /** From a late throw to the end of the thread, if the handler's function has not settled by then, in milliseconds. */
  readonly graceMs: number;
  /** Null: the timeout is not fitted to what handlers take. */
  readonly observation: Observation | null;
  readonly concurrency: number;
  /** The lane's handlers never run side by side: what runs stands in its ring's RUNNING, else in each record's STATE. */
  readonly isSerial: boolean;
  readonly bytes: 'copy' | 'view';
  /** The largest payload that a handler may return or publish. */
  readonly maxMessageBytes: number;
  /** Null: none is kept. */
  readonly order: LaneOrder | null;
  /** See `ParkedWords`. */
  readonly parked: SharedArrayBuffer;
  readonly redact: RedactOptions;
  /** False: errors are described without stack or preview, for nobody will read them. */
  readonly describeErrors: boolean;
  /** Null: the bus is not under test. */
  readonly testing: LaneTesting | null;
  /** True: main is told of each success. */
  readonly tellsHandled: boolean;
}

/** Only has a thread begin. */
interface NoTask {
  readonly kind: 'nothing';
}

export type LaneTask = LoadTask | WarmTask | DrainTask | NoTask;

/** A handler that cannot be loaded, as a plain record, because Piscina strips errors. */
export interface LoadFailure {
  readonly category: ErrorCategory;
  readonly error: ErrorRecord;
}

/** How a task ended; a thread that dies rejects instead. `held`: the breaker is open. */
export type LaneTaskResult =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'not-loaded'; readonly failure: LoadFailure }
  | { readonly kind: 'gave-way' }
  | { readonly kind: 'held' };

/** Words of a lane's turn. LEAVE and SHARE are written by main, and read by its drain. */
export const Turn = {
  /** 1: give the thread back as soon as nothing is in flight. Also written by the drain, when it has to end its thread. */
  LEAVE: 0,
  /** 1: others wait for a thread; leave when idle or after the quantum. */
  SHARE: 1,
  /** Written by the drain: its number, when its thread runs no more code, having called process.exit(). */
  EXITED: 2,
  /** Written by the drain, which counts the turns of its loop from 1 on; main sets it to 0 before a drain begins. */
  BEAT: 3,
  /** Written by the drain before EXITED: the ring and SEQUENCE of the record whose handler has called process.exit(). */
  EXIT_PLACE: 4,
  EXIT_SEQUENCE: 5,
  /** Written by the thread that takes the drain's task, before it loads the handler: the drain's number. */
  TAKEN: 6,
  /** Written by that thread when the handler's module is imported, and its set-up begins: the drain's number. */
  SETTING_UP: 7,
  /** Written by the drain before EXITED: what it was given as the exit code. */
  EXIT_CODE: 8,
} as const;

/** EXIT_PLACE where no handler is known to have called process.exit(), and where one did that is over. */
export const EXIT_BY = { UNKNOWN: -1, OVER: -2 } as const;

export const TURN_BYTES = 36;
