// The pool of worker threads that lanes run on. The only file that knows Piscina.
import { Piscina } from 'piscina';
import { systemClock, type Timer } from '../shared/clock.js';
import { workerExecArgv } from '../shared/exec-argv.js';
import {
  type HandlerSource,
  handlerKey,
  type LaneTask,
  type LaneTaskResult,
  type LaneWorkerData,
  type TeardownLink,
} from '../shared/lane-task.js';
import type { RedactOptions } from '../shared/redact.js';
import { within } from '../shared/within.js';
import { workerFile } from '../shared/worker-file.js';
import { LoadTime } from './load-time.js';
import type { ThreadLimits } from './thread-limits.js';

export interface PoolOptions {
  /** Threads that run lanes at the same time. */
  readonly threads: number;
  /** Threads that stand by, to take over at once when another dies. */
  readonly spareThreads: number;
  readonly limits: ThreadLimits;
}

/**
 * A thread takes 60 ms of a core to begin. Its successor has the machine to itself for this long: where a spare thread
 * stands by, the lane is at work again long before.
 */
const REPLACE_AFTER_MS = 30;

/** A thread that does not run by then, in milliseconds, is not going to. */
const BEGIN_TIMEOUT_MS = 30_000;

/** A thread that is only short of time takes a task by then, in milliseconds. */
const TAKE_MS = 5000;

/** Threads that may end on their own before new ones begin without handlers. */
const MOST_UNEXPLAINED = 2;

/**
 * How a thread ended under a task. `stuck`: it was ended, for what no delivery is to blame for; `deaf`: because it did not take
 * the task; `none`: no thread ended, for none had been given the task.
 */
export type ThreadEnd = 'killed' | 'exited' | 'out-of-memory' | 'stuck' | 'deaf' | 'none';

/** The reason of a `kill` for a thread that has told its own end: Node would take 8 ms more to tell. */
export const EXITED = Symbol('exited');
/** The reason of a `kill` for a thread on which nothing can run any more, though no handler does. */
export const STUCK = Symbol('stuck');
/** The reason of a `kill` for a task that no thread has taken: what else a thread loads, or was left there, keeps it from that. */
export const DEAF = Symbol('deaf');

const ENDS = new Map<unknown, ThreadEnd>([
  [EXITED, 'exited'],
  [STUCK, 'stuck'],
  [DEAF, 'deaf'],
]);

/** Raised by {@link Pool.run} when the thread ended before the task did. */
export class ThreadLost extends Error {
  override readonly name = 'ThreadLost';
  readonly end: ThreadEnd;
  /** Resolves when nothing runs on the thread any more; null: nothing does. Never rejects. */
  readonly gone: Promise<void> | null;

  constructor(end: ThreadEnd, gone: Promise<void> | null, cause: unknown) {
    super(`the worker thread ended: ${end}`, { cause });
    this.end = end;
    this.gone = gone;
  }
}

/** Belongs to one bus. Runs on the main thread. */
export class Pool {
  readonly #options: PoolOptions;
  readonly #filename: string;
  readonly #workerData: LaneWorkerData;
  #begun: Piscina<LaneTask, LaneTaskResult> | undefined;
  #ready: Promise<unknown> | undefined;
  /** What new threads load when they begin; read by Piscina each time it makes one. */
  readonly #handlers: HandlerSource[] = [];
  /** By key: those that took too long on a thread. New threads do not load them early, and nobody would end those that hang. */
  readonly #late = new Set<string>();
  /** Tasks under way, but for those that warm up. */
  #busy = 0;
  /** Threads that ended without a task to tell of it. */
  #unexplained = 0;
  #closing = false;
  readonly #size: number;
  #replacing: Timer | undefined;
  #warmed: Promise<unknown> = Promise.resolve();
  /** Threads that ended and were replaced. */
  threadsReplaced = 0;

  /**
   * Starts nothing: a bus that only publishes, or whose handlers all run on the main thread, needs no threads.
   *
   * @throws BUSBAR_PACKAGE
   */
  constructor(options: PoolOptions, link: TeardownLink) {
    this.#options = options;
    this.#size = options.threads + options.spareThreads;
    this.#workerData = { ...link, handlers: this.#handlers };
    this.#filename = workerFile('lane.cjs').href;
  }

  get #piscina(): Piscina<LaneTask, LaneTaskResult> {
    this.#begun ??= this.#begin();
    return this.#begun;
  }

  #begin(): Piscina<LaneTask, LaneTaskResult> {
    if (this.#closing) throw new Error('the pool is closed');
    const piscina = new Piscina<LaneTask, LaneTaskResult>({
      filename: this.#filename,
      minThreads: this.#size,
      maxThreads: this.#size,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      // 'sync' would freeze the timers of a handler's module while its thread has no task.
      atomics: 'disabled',
      recordTiming: false,
      ...workerExecArgv(),
      resourceLimits: this.#options.limits,
      workerData: this.#workerData,
    });
    // All begin at once; later Piscina itself replaces only those that are missed at once.
    piscina.options.minThreads = this.#options.threads;
    // A thread that dies without a task would otherwise be an uncaught 'error' event.
    piscina.on('error', () => undefined);
    piscina.on('workerDestroy', () => this.#ended());
    return piscina;
  }

  /** Begins the threads, and resolves once one of them runs, or has failed to. Never rejects. */
  ready(): Promise<unknown> {
    const runs = (): Promise<unknown> => this.#piscina.run({ kind: 'nothing' }).catch(() => undefined);
    this.#ready ??= within(systemClock, BEGIN_TIMEOUT_MS, runs, undefined, true);
    return this.#ready;
  }

  /** Threads that have no task, but for those that warm up. */
  get idle(): number {
    return Math.max(0, (this.#begun?.threads.length ?? 0) - this.#busy);
  }

  /** Ids of the threads that live now. */
  get threadIds(): number[] {
    return (this.#begun?.threads ?? []).map(({ threadId }) => threadId).filter((id) => id >= 0);
  }

  /**
   * Runs a task on a free thread. Aborting `kill` ends the thread at once, endless loops included.
   *
   * @throws ThreadLost
   */
  async run(task: LaneTask, kill: AbortSignal): Promise<LaneTaskResult> {
    this.#busy++;
    try {
      return await this.#run(task, kill);
    } finally {
      this.#busy--;
    }
  }

  async #run(task: LaneTask, kill: AbortSignal): Promise<LaneTaskResult> {
    const end = new AbortController();
    let gone: Promise<void> | null | undefined;
    kill.addEventListener('abort', () => {
      gone = this.#end(end, kill.reason);
    });
    try {
      return await this.#piscina.run(task, { signal: end.signal });
    } catch (cause) {
      if (kill.aborted && gone === undefined) throw new ThreadLost('none', null, cause);
      if (!this.#closing) this.threadsReplaced++;
      this.#unexplained--;
      throw new ThreadLost(endOf(cause, kill), gone ?? null, cause);
    }
  }

  /**
   * Piscina takes a thread for ended once it has been told to end. What is in a native call then goes on with it, and then
   * with whatever follows until V8 looks for interrupts.
   *
   * @returns as `ThreadLost.gone`; undefined: no thread had the task
   */
  #end(end: AbortController, reason: unknown): Promise<void> | null | undefined {
    // Its successor would load the same.
    if (reason === DEAF) this.#handlers.length = 0;
    const before = this.#piscina.threads;
    end.abort(reason);
    const left = new Set(this.#piscina.threads);
    const thread = before.find((each) => !left.has(each));
    if (reason === EXITED) return null;
    if (thread === undefined) return undefined;
    return new Promise((resolve) => thread.once('exit', () => resolve()));
  }

  /** From here on new threads load these when they begin. */
  expect(handlers: Iterable<HandlerSource>): void {
    if (this.#unexplained > MOST_UNEXPLAINED) return;
    this.#handlers.splice(
      0,
      this.#handlers.length,
      ...[...handlers].filter((each) => !this.#late.has(handlerKey(each))),
    );
  }

  /** In which a thread takes a task that is for this handler, in milliseconds: it may be loading others early. */
  takeMs({ setupTimeoutMs }: HandlerSource): number {
    return Math.max(TAKE_MS, setupTimeoutMs, ...this.#handlers.map((other) => other.setupTimeoutMs));
  }

  /**
   * Loads a handler on a free thread, which is ended when that takes too long.
   *
   * @throws ThreadLost
   */
  async load(handler: HandlerSource, redact: RedactOptions): Promise<LaneTaskResult> {
    this.#busy++;
    try {
      return await this.#load(handler, redact, true);
    } finally {
      this.#busy--;
    }
  }

  /**
   * Loads a handler on the threads that are idle. One that fails tells so when it is needed.
   *
   * @param onLate told of each thread that was ended because it took too long
   */
  warm(handler: HandlerSource, redact: RedactOptions, onLate: () => void): void {
    const warm = async (): Promise<void> => {
      try {
        await this.#load(handler, redact, false);
      } catch (lost) {
        if ((lost as ThreadLost).end === 'killed') onLate();
      }
    };
    const tasks = Array.from({ length: this.idle }, warm);
    this.#warmed = Promise.allSettled([this.#warmed, ...tasks]).then(() => undefined);
  }

  async #load(handler: HandlerSource, redact: RedactOptions, keepAlive: boolean): Promise<LaneTaskResult> {
    const kill = new AbortController();
    const isLate = (): void => {
      this.#late.add(handlerKey(handler));
      this.expect([...this.#handlers]);
      kill.abort();
    };
    const isDeaf = (): void => kill.abort(DEAF);
    const time = new LoadTime(this.takeMs(handler), handler.setupTimeoutMs, keepAlive, isDeaf, isLate);
    try {
      return await this.#run({ kind: 'load', handler, redact, taken: time.memory }, kill.signal);
    } finally {
      time.end();
    }
  }

  /** Resolves once all that was to be loaded by {@link warm} is. Never rejects. */
  get warmed(): Promise<unknown> {
    return this.#warmed;
  }

  /** A module that ends its thread at import would have threads made and ended without end: then they load nothing early. */
  #ended(): void {
    if (++this.#unexplained > MOST_UNEXPLAINED) this.#handlers.length = 0;
    if (this.#closing) return;
    this.#replacing ??= systemClock.after(REPLACE_AFTER_MS, () => {
      this.#replacing = undefined;
      this.#replace();
    });
  }

  /** Piscina begins a thread for each task that finds none: the idle ones are given one first. */
  #replace(): void {
    const { length } = this.#piscina.threads;
    for (let tasks = length < this.#size ? this.idle + this.#size - length : 0; tasks > 0; tasks--) {
      this.#piscina.run({ kind: 'nothing' }).catch(() => undefined);
    }
  }

  /** Ends all threads, whatever they do. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#replacing?.cancel();
    await this.#begun?.destroy();
  }
}

function endOf(cause: unknown, kill: AbortSignal): ThreadEnd {
  if (kill.aborted) return ENDS.get(kill.reason) ?? 'killed';
  return (cause as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'out-of-memory' : 'exited';
}
