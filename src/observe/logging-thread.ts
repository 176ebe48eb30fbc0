// The life of the logging worker's thread: started, asked, replaced when it dies, ended.
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { type Endpoint, type Remote, wrap } from 'comlink';
import type { Clock, Timer } from '../shared/clock.js';
import { BusbarError } from '../shared/errors.js';
import { workerExecArgv } from '../shared/exec-argv.js';
import { type LoggingAnswers, summariesOf } from '../shared/letter-table.js';
import type { LetterFilter, LoggingQueries, LoggingStart } from '../shared/logging-task.js';
import { StormGuard } from '../shared/storm-guard.js';
import { workerFile } from '../shared/worker-file.js';

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
  readonly #startOf: () => Omit<LoggingStart, 'isReplacement'>;
  readonly #clock: Clock;
  #worker: Worker | undefined;
  /** The worker that runs now, once it has opened the folder: before that it knows of no letter. */
  #opened: Promise<LoggingQueries> = Promise.reject(goneError());
  /** Rejects when the worker that runs now dies. */
  #death: Promise<never> = Promise.reject(goneError());
  #isStopping = false;
  readonly #storm = new StormGuard(STORM_DEATHS, STORM_WINDOW_MS);
  #timer: Timer | undefined;
  isUp = false;
  /** Times the worker died and was replaced. */
  restarts = 0;

  /** @param startOf what a worker that starts now is told */
  constructor(clock: Clock, startOf: () => Omit<LoggingStart, 'isReplacement'>) {
    this.#clock = clock;
    this.#startOf = startOf;
    this.#opened.catch(() => undefined);
    this.#death.catch(() => undefined);
  }

  /** @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED, BUSBAR_PACKAGE */
  async start(isReplacement = false): Promise<void> {
    const url = workerFile('logging.cjs');
    const workerData: LoggingStart = { ...this.#startOf(), isReplacement };
    const worker = new Worker(url, { name: 'busbar-logging', workerData, ...workerExecArgv() });
    this.#worker = worker;
    const death = new Promise<never>((_, reject) => {
      worker.once('exit', () => reject(goneError()));
      worker.once('error', (cause) => reject(goneError(cause)));
    });
    this.#death = death;
    const opened = Promise.race([openedBy(wrap<LoggingAnswers>(nodeEndpoint(worker))), death]);
    this.#opened = opened;
    // They may fail when nobody asks.
    for (const promise of [death, opened]) promise.catch(() => undefined);
    worker.once('exit', () => this.#exited(worker));
    try {
      await opened;
      this.isUp = true;
    } catch (error) {
      if (this.#worker === worker) this.#worker = undefined;
      await worker.terminate();
      throw error;
    }
  }

  /**
   * @throws BUSBAR_LOGGING_WORKER when the worker dies meanwhile, BUSBAR_LOG_FOLDER when the disk does not let it answer:
   * nothing was changed then, and the same may be asked again
   */
  ask<T>(query: (worker: LoggingQueries) => Promise<T>): Promise<T> {
    const answer = this.#opened.then((worker) =>
      query(worker).catch((cause: unknown) => {
        throw unusableError(cause);
      }),
    );
    return Promise.race([answer, this.#death]);
  }

  /** Writes everything, then ends the thread; it may be started again. */
  rest(): Promise<void> {
    return this.#end();
  }

  /** Writes everything, then ends the thread. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#end();
  }

  /** Writes everything, and goes on in another thread, which is told anew. @throws as {@link start} */
  async restart(): Promise<void> {
    await this.#end();
    if (!this.#isStopping) await this.start();
  }

  async #end(): Promise<void> {
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
    // One that dies before it has opened is a start that fails.
    if (worker !== this.#worker || this.#isStopping || !this.isUp) return;
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

/** The worker behind `queries`, which need not answer anything else. @throws BUSBAR_LOG_FOLDER, BUSBAR_FOLDER_LOCKED */
async function openedBy(answers: Remote<LoggingAnswers>): Promise<LoggingQueries> {
  const result = await answers.open().catch((cause: unknown) => {
    throw unusableError(cause);
  });
  if (!result.ok) throw new BusbarError(result.code, result.message);
  const listLetters = async (filter: LetterFilter) => summariesOf(await answers.listLetters(filter));
  // All others are the worker's own. A transfer handler would do, but Comlink's are for the whole program, which may have its own.
  return Object.create(answers, { listLetters: { value: listLetters } }) as LoggingQueries;
}

function unusableError(cause: unknown): BusbarError {
  const what = cause instanceof Error ? cause.message : String(cause);
  return new BusbarError('BUSBAR_LOG_FOLDER', `the log folder cannot be used now: ${what}`, { cause });
}

function goneError(cause?: unknown): BusbarError {
  return new BusbarError('BUSBAR_LOGGING_WORKER', 'the logging worker is gone', { cause });
}
