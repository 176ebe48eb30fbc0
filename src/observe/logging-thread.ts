// The life of the logging worker's thread: started, asked, replaced when it dies, ended.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { type Endpoint, type Remote, wrap } from 'comlink';
import type { Clock, Timer } from '../shared/clock.js';
import { BusbarError } from '../shared/errors.js';
import { workerExecArgv } from '../shared/exec-argv.js';
import type { LoggingQueries, LoggingStart } from '../shared/logging-task.js';
import { StormGuard } from '../shared/storm-guard.js';

const nodeEndpoint = createRequire(import.meta.url)('comlink/dist/umd/node-adapter.js') as (
  worker: unknown,
) => Endpoint;

/** This many deaths within the window, and the next worker has to wait. */
const STORM_DEATHS = 5;
const STORM_WINDOW_MS = 60_000;
const STORM_REST_MS = 30_000;
/** Before another worker is tried when one could not open the folder, in milliseconds. */
const REOPEN_MS = 1000;

/** Runs on the main thread. */
export class LoggingThread {
  readonly #start: LoggingStart;
  readonly #clock: Clock;
  #worker: Worker | undefined;
  #queries: Remote<LoggingQueries> | undefined;
  /** Rejects when the worker that runs now dies. */
  #death: Promise<never> = Promise.reject(goneError());
  #isStopping = false;
  readonly #storm = new StormGuard(STORM_DEATHS, STORM_WINDOW_MS);
  #timer: Timer | undefined;
  isUp = false;
  /** Times the worker died and was replaced. */
  restarts = 0;

  constructor(start: LoggingStart, clock: Clock) {
    this.#start = start;
    this.#clock = clock;
    this.#death.catch(() => undefined);
  }

  /** @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED */
  async start(isReplacement = false): Promise<void> {
    const url = new URL('../../workers/logging.js', import.meta.url);
    const workerData: LoggingStart = { ...this.#start, isReplacement };
    const worker = new Worker(url, { name: 'busbar-logging', workerData, ...workerExecArgv() });
    this.#worker = worker;
    this.#queries = wrap<LoggingQueries>(nodeEndpoint(worker));
    this.#death = new Promise((_, reject) => {
      worker.once('exit', () => reject(goneError()));
      worker.once('error', (cause) => reject(goneError(cause)));
    });
    this.#death.catch(() => undefined);
    worker.once('exit', () => this.#exited(worker));

    const result = await this.ask((queries) => queries.open());
    if (!result.ok) {
      this.#worker = undefined;
      await worker.terminate();
      throw new BusbarError(result.code, result.message);
    }
    this.isUp = true;
  }

  /**
   * @throws BUSBAR_LOGGING_WORKER when the worker dies meanwhile, BUSBAR_LOG_FOLDER when the disk does not let it answer:
   * nothing was changed then, and the same may be asked again
   */
  ask<T>(query: (worker: LoggingQueries) => Promise<T>): Promise<T> {
    if (this.#queries === undefined) return Promise.reject(goneError());
    const answer = query(this.#queries as unknown as LoggingQueries).catch((cause: unknown) => {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new BusbarError('BUSBAR_LOG_FOLDER', `the log folder cannot be used now: ${what}`, { cause });
    });
    return Promise.race([answer, this.#death]);
  }

  /** Writes everything, then ends the thread. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#timer?.cancel();
    const worker = this.#worker;
    this.#worker = undefined;
    this.isUp = false;
    if (worker === undefined) return;
    // A worker that dies while closing has released what it wrote; the rest is counted by the letter queue.
    await this.ask((queries) => queries.close()).catch(() => undefined);
    await worker.terminate();
  }

  #exited(worker: Worker): void {
    if (worker !== this.#worker || this.#isStopping) return;
    this.isUp = false;
    this.restarts++;
    this.#replace(this.#storm.died(this.#clock.elapsed()) ? STORM_REST_MS : 0);
  }

  #replace(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      if (this.#isStopping) return;
      this.start(true).catch(() => this.#replace(REOPEN_MS));
    });
  }
}

function goneError(cause?: unknown): BusbarError {
  return new BusbarError('BUSBAR_LOGGING_WORKER', 'the logging worker is gone', { cause });
}
