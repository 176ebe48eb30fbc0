// The pool of worker threads that lanes run on. The only file that knows Piscina.
import { Piscina } from 'piscina';
import { systemClock, type Timer } from '../shared/clock.js';
import { workerExecArgv } from '../shared/exec-argv.js';
import type { LaneTask, LaneTaskResult, TeardownLink } from '../shared/lane-task.js';
import { within } from '../shared/within.js';
import { workerFile } from '../shared/worker-file.js';
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

/** Threads that may end on their own, without a task, before nothing is loaded early for a time, in milliseconds. */
const MOST_UNEXPLAINED = 2;
const UNRULY_MS = 60_000;

/**
 * How a thread ended under a task. `stuck`: it was ended, for what no delivery is to blame for; `deaf`: because it did not take
 * the task; `none`: no thread ended, for none had been given the task.
 */
export type ThreadEnd = 'killed' | 'exited' | 'out-of-memory' | 'stuck' | 'deaf' | 'none';

/** The reason of a `kill` for a thread that has told its own end: Node would take 8 ms more to tell. */
export const EXITED = Symbol('exited');
/** The reason of a `kill` for a thread on which nothing can run any more, though no handler does. */
export const STUCK = Symbol('stuck');
/** The reason of a `kill` for a task that no thread has taken: what was left behind there keeps it from that. */
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
  readonly #link: TeardownLink;
  readonly #onChange: () => void;
  #begun: Piscina<LaneTask, LaneTaskResult> | undefined;
  #ready: Promise<unknown> | undefined;
  /** Tasks under way, but for those that warm up. */
  #busy = 0;
  /** Threads that ended without a task to tell of it. */
  #unexplained = 0;
  /** `systemClock.elapsed()`. */
  #unrulyUntil = 0;
  #closing = false;
  readonly #size: number;
  #replacing: Timer | undefined;
  /** Threads that ended and were replaced. */
  threadsReplaced = 0;

  /**
   * Starts nothing: a bus that only publishes, or whose handlers all run on the main thread, needs no threads.
   *
   * @param onChange called when a thread has begun, and soon after one has ended
   * @throws BUSBAR_PACKAGE
   */
  constructor(options: PoolOptions, link: TeardownLink, onChange: () => void) {
    this.#options = options;
    this.#size = options.threads + options.spareThreads;
    this.#link = link;
    this.#onChange = onChange;
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
      workerData: this.#link,
    });
    // All begin at once; later Piscina itself replaces only those that are missed at once.
    piscina.options.minThreads = this.#options.threads;
    // A thread that dies without a task would otherwise be an uncaught 'error' event.
    piscina.on('error', () => undefined);
    piscina.on('workerDestroy', () => this.#ended());
    // Not before tasks that wait for it have had it.
    piscina.on('workerCreate', () => queueMicrotask(this.#onChange));
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

  /** Threads that are not there: a task that finds no idle one begins one of them. */
  get missing(): number {
    return this.#begun === undefined || this.#closing ? 0 : Math.max(0, this.#size - this.#begun.threads.length);
  }

  /** Threads end without a task to tell why: what they load may do that. */
  get isUnruly(): boolean {
    return systemClock.elapsed() < this.#unrulyUntil;
  }

  /** Ids of the threads that live now. */
  get threadIds(): number[] {
    return (this.#begun?.threads ?? []).map(({ threadId }) => threadId).filter((id) => id >= 0);
  }

  /**
   * Runs a task on a free thread. Aborting `kill` ends the thread at once, endless loops included.
   *
   * @param isCounted false: the thread counts as idle meanwhile
   * @throws ThreadLost
   */
  async run(task: LaneTask, kill: AbortSignal, isCounted = true): Promise<LaneTaskResult> {
    const count = isCounted ? 1 : 0;
    this.#busy += count;
    try {
      return await this.#run(task, kill);
    } finally {
      this.#busy -= count;
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
    const before = this.#piscina.threads;
    end.abort(reason);
    const left = new Set(this.#piscina.threads);
    const thread = before.find((each) => !left.has(each));
    if (reason === EXITED) return null;
    if (thread === undefined) return undefined;
    return new Promise((resolve) => thread.once('exit', () => resolve()));
  }

  #ended(): void {
    this.#unexplained++;
    if (this.#closing) return;
    this.#replacing ??= systemClock.after(REPLACE_AFTER_MS, () => {
      this.#replacing = undefined;
      this.#judge();
      this.#onChange();
    });
  }

  /** By now each task whose thread has ended has told so. */
  #judge(): void {
    if (this.#unexplained <= MOST_UNEXPLAINED) return;
    this.#unrulyUntil = systemClock.elapsed() + UNRULY_MS;
    this.#unexplained = MOST_UNEXPLAINED;
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
