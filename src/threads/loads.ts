// What the pool's threads load: a handler when it is asked for, and early, those that they may be asked for.
import { systemClock } from '../shared/clock.js';
import {
  type HandlerSource,
  handlerKey,
  type LaneTask,
  type LaneTaskResult,
  type LoadFailure,
} from '../shared/lane-task.js';
import type { RedactOptions } from '../shared/redact.js';
import { lostWhileLoading } from './load-failure.js';
import { LoadTime } from './load-time.js';
import { DEAF, type Pool, ThreadLost } from './pool.js';

/** A thread that is only short of time takes a task by then, in milliseconds. */
const TAKE_MS = 5000;

/** What took too long on a thread, or has ended it, is not loaded early for so long, in milliseconds: what it lacked may be back then. */
const BARRED_MS = 60_000;

/** Belongs to one bus. Runs on the main thread. Whatever is loaded, is loaded in a task, and a thread is ended that takes too long. */
export class Loads {
  readonly #pool: Pool;
  #expected: readonly HandlerSource[] = [];
  /** By key: `systemClock.elapsed()` until which no thread loads those early that took too long on one, or have ended it. */
  readonly #barred = new Map<string, number>();
  /** By key: who is told, once, that a handler took too long where it was loaded early. */
  readonly #onLate = new Map<string, (failure: LoadFailure) => void>();
  /** By key: those that are loaded early. */
  readonly #warmed = new Map<string, Promise<unknown>>();
  /** Tasks that load early, begun or waiting: one that no thread takes at once would stand before the next lane. */
  #warming = 0;
  /** Threads have begun, or been found, while others loaded early: they do when those are done. */
  #isPutOff = false;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Resolves once no thread loads this handler early any more, nor others before it. Never rejects. */
  warmed(handler: HandlerSource): Promise<unknown> {
    return this.#warmed.get(handlerKey(handler)) ?? Promise.resolve();
  }

  /** In which a thread takes a task that is for these handlers, in milliseconds: it may be loading others early. */
  takeMs(...handlers: readonly HandlerSource[]): number {
    return Math.max(TAKE_MS, ...[...handlers, ...this.#early].map(({ setupTimeoutMs }) => setupTimeoutMs));
  }

  /** From here on threads load these when they begin. */
  expect(handlers: Iterable<HandlerSource>): void {
    this.#expected = [...handlers];
  }

  /**
   * Loads a handler on a free thread.
   *
   * @throws ThreadLost where none has taken the task
   */
  load(handler: HandlerSource, redact: RedactOptions): Promise<LaneTaskResult> {
    return this.#run([handler], true, (progress) => ({ kind: 'load', handler, redact, progress }));
  }

  /**
   * Loads a handler early on the threads that are idle. One that fails tells so when it is needed.
   *
   * @param onLate told, once, if it takes too long on one of these or, later, where it is expected
   */
  warm(handler: HandlerSource, onLate: (failure: LoadFailure) => void): void {
    this.#onLate.set(handlerKey(handler), onLate);
    this.#warm([handler], this.#pool.idle);
  }

  /**
   * Has those that are missing begin, and each that has no task load what it may be asked for; not while others do: a lane
   * whose own handler is quick would find no thread for as long as the slowest one takes.
   */
  readonly replenish = (): void => {
    const { idle, missing } = this.#pool;
    const early = this.#early;
    this.#isPutOff = early.length > 0 && this.#warming > 0;
    if (missing === 0 && (early.length === 0 || this.#isPutOff)) return;
    // As many as there are threads for: one begins only for a task that finds none that is free.
    this.#warm(this.#isPutOff ? [] : early, Math.max(0, idle - this.#warming) + missing);
  };

  get #early(): HandlerSource[] {
    if (this.#pool.isUnruly) return [];
    const now = systemClock.elapsed();
    return this.#expected.filter((handler) => now >= (this.#barred.get(handlerKey(handler)) ?? 0));
  }

  #warm(handlers: readonly HandlerSource[], threads: number): void {
    const tasks = Array.from({ length: threads }, async () => {
      this.#warming++;
      try {
        await this.#run(handlers, false, (progress) => ({ kind: 'warm', handlers, progress }));
      } catch (lost) {
        if (!(lost instanceof ThreadLost)) throw lost;
      } finally {
        this.#warming--;
      }
      if (this.#warming === 0 && this.#isPutOff) this.replenish();
    });
    for (const handler of handlers) this.#noteWarming(handlerKey(handler), tasks);
  }

  #noteWarming(key: string, tasks: readonly Promise<void>[]): void {
    const all = Promise.allSettled([this.#warmed.get(key), ...tasks]).then(() => {
      if (this.#warmed.get(key) === all) this.#warmed.delete(key);
    });
    this.#warmed.set(key, all);
  }

  /** @param isAwaited somebody waits for it: else it does not count as a task, and keeps no process alive */
  async #run(
    handlers: readonly HandlerSource[],
    isAwaited: boolean,
    taskFor: (progress: SharedArrayBuffer) => LaneTask,
  ): Promise<LaneTaskResult> {
    const kill = new AbortController();
    const takeMs = this.takeMs(...handlers);
    const limitMs = (count: number): number => handlers[count - 1]?.setupTimeoutMs ?? takeMs;
    const time = new LoadTime(limitMs, isAwaited, (count) => kill.abort(count === 0 ? DEAF : undefined));
    try {
      return await this.#pool.run(taskFor(time.memory), kill.signal, isAwaited);
    } catch (lost) {
      const handler = handlers[Math.max(0, time.count - 1)];
      if (!(lost instanceof ThreadLost) || lost.end === 'none' || handler === undefined) throw lost;
      const failure = lostWhileLoading(handler, lost.end, time.isSettingUp);
      if (time.count > 0) this.#bar(handler, kill.signal.aborted && !isAwaited ? failure : null);
      return { kind: 'not-loaded', failure };
    } finally {
      time.end();
    }
  }

  /** @param late what is told; null: nothing, or nobody has to be told */
  #bar(handler: HandlerSource, late: LoadFailure | null): void {
    const key = handlerKey(handler);
    this.#barred.set(key, systemClock.elapsed() + BARRED_MS);
    if (late === null) return;
    this.#onLate.get(key)?.(late);
    this.#onLate.delete(key);
  }
}
