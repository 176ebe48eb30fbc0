// All that runs beside the main thread: the pool, whose turn it is, who wakes main, and who is past a deadline.
import { availableParallelism } from 'node:os';
import { type Clock, sharedClock, type Timer } from '../shared/clock.js';
import { Doorbell } from '../shared/doorbell.js';
import type { BusbarError } from '../shared/errors.js';
import { type HandlerSource, handlerKey, type LaneTaskResult, type LoadFailure } from '../shared/lane-task.js';
import type { RedactOptions } from '../shared/redact.js';
import { Lane } from './lane.js';
import type { LaneSurroundings } from './lane-contract.js';
import { Loads } from './loads.js';
import type { MainLane } from './main-lane.js';
import { Pool, type PoolOptions, ThreadLost } from './pool.js';
import { Teardowns } from './teardowns.js';
import { Turns, type TurnTaker } from './turns.js';

export type AnyLane = Lane | MainLane;

/**
 * Replies taken from one lane before the next lane, and what else waits in the event loop, has its turn; 64 other outcomes. Each
 * turn costs microseconds, and what is read together is answered together: a tenth more requests than with 64.
 */
const MOST_AT_ONCE = 256;
/**
 * While somebody waits for a reply of a lane that is awake, main looks again in this many turns of its event loop, about
 * 1 ms, before it sleeps: waking it costs 25 µs or more. A lane that sleeps has to be woken anyway, and is back sooner when
 * main leaves it the core that it was woken on. With one core, polling would only take time from the worker.
 */
const POLLS = availableParallelism() > 1 ? 1000 : 0;
/** After the last reply main looks again in this many turns: who awaits one request after the other asks again at once. */
const LINGERS = POLLS > 0 ? 10 : 0;
/** How exact deadlines are, in milliseconds. */
const WATCH_MS = 25;

/** The bus's breakers; looked at while something is under way, so that their changes are told of. */
export type WatchedBreakers = LaneSurroundings['breakers'] & { readonly generation: number; lookAtAll(): void };

/** Belongs to one bus, from start to stop. Runs on the main thread. */
export class Threads {
  readonly surroundings: LaneSurroundings;
  readonly #pool: Pool;
  readonly #loads: Loads;
  readonly #turns: Turns;
  readonly #teardowns = new Teardowns();
  readonly #clock: Clock;
  readonly #bell: Doorbell;
  readonly #lanes = new Set<AnyLane>();
  /** What the lanes run. */
  readonly #handlers = new Map<AnyLane, HandlerSource>();
  readonly #options: PoolOptions;
  readonly #isAwaited: () => boolean;
  readonly #breakers: WatchedBreakers;
  /** Of the breakers, when a lane was last added. */
  #generation = 0;
  #watch: Timer | undefined;
  #polls = 0;
  #lingers = 0;
  #isStopped = false;

  /** @param isAwaited somebody waits for a reply */
  constructor(options: PoolOptions, clock: Clock, breakers: WatchedBreakers, isAwaited: () => boolean) {
    this.#options = options;
    this.#isAwaited = isAwaited;
    this.#clock = sharedClock(clock);
    this.#breakers = breakers;
    this.#pool = new Pool(options, this.#teardowns.link, () => this.#loads.replenish());
    this.#loads = new Loads(this.#pool);
    this.#turns = new Turns(options.threads);
    const mainBell = Doorbell.allocate();
    this.#bell = new Doorbell(mainBell);
    const watch = (): void => this.#startWatch();
    const takeMs = (handler: HandlerSource): number => this.#loads.takeMs(handler);
    this.surroundings = { pool: this.#pool, takeMs, turns: this.#turns, clock: this.#clock, mainBell, breakers, watch };
    void this.#listen();
  }

  get health(): { configured: number; alive: number; replaced: number } {
    const { threads, spareThreads } = this.#options;
    return {
      configured: threads + spareThreads,
      alive: this.#pool.threadIds.length,
      replaced: this.#pool.threadsReplaced,
    };
  }

  /** @param handler of a lane that runs on workers */
  add(lane: AnyLane, handler?: HandlerSource): void {
    this.#renewDrains();
    this.#lanes.add(lane);
    if (handler === undefined) return;
    this.#handlers.set(lane, handler);
    this.#expectHandlers();
  }

  /** Those that run know only the breakers that there were when they began. */
  #renewDrains(): void {
    const { generation } = this.#breakers;
    if (generation === this.#generation) return;
    this.#generation = generation;
    for (const lane of this.#lanes) if (lane instanceof Lane) lane.renew();
  }

  remove(lane: AnyLane): void {
    this.#lanes.delete(lane);
    if (this.#handlers.delete(lane)) this.#expectHandlers();
  }

  /**
   * Loads a handler on a worker, to find out whether it can be. Null: the threads are stopped.
   *
   * @param onLate told, once, if it could be, but later hangs on another thread
   */
  load(
    handler: HandlerSource,
    redact: RedactOptions,
    onLate: (failure: LoadFailure) => void,
  ): Promise<LaneTaskResult | null> {
    return new Promise((resolve, reject) => {
      const turn: TurnTaker = {
        share: () => undefined,
        take: async () => {
          // What a thread takes to begin is not the handler's time.
          await this.#pool.ready();
          if (this.#isStopped) {
            resolve(null);
            return false;
          }
          await this.#load(handler, redact, onLate).then(resolve, reject);
          return false;
        },
      };
      // A thread that stands by can do it without taking time from lanes, however long it takes.
      const free = this.#options.threads - this.#turns.running.size;
      if (this.#pool.idle > free) void turn.take();
      else this.#turns.request(turn);
    });
  }

  /** On a thread that is free, or soon will be. */
  async #load(
    handler: HandlerSource,
    redact: RedactOptions,
    onLate: (failure: LoadFailure) => void,
  ): Promise<LaneTaskResult | null> {
    try {
      const result = await this.#loads.load(handler, redact);
      if (this.#isStopped && result.kind === 'not-loaded') return null;
      const tell = (failure: LoadFailure): void => {
        if (!this.#isStopped) onLate(failure);
      };
      if (result.kind === 'loaded') this.#loads.warm(handler, tell);
      return result;
    } catch (lost) {
      if (!(lost instanceof ThreadLost)) throw lost;
      // No thread had it.
      return this.#isStopped ? null : this.#load(handler, redact, onLate);
    }
  }

  /**
   * Has a handler taken down, unless another lane still has it. Its lanes must be removed.
   *
   * @param graceMs it is waited for so long at the most
   * @returns what went wrong
   */
  async tearDown(handler: HandlerSource, graceMs: number, redact: RedactOptions): Promise<readonly BusbarError[]> {
    for (const other of this.#handlers.values()) if (handlerKey(other) === handlerKey(handler)) return [];
    return this.#teardowns.run(handler, graceMs, redact, () => this.#pool.threadIds, this.#loads.warmed(handler));
  }

  /** Reads all that workers have told so far. */
  collect(): void {
    for (const lane of this.#lanes) while (lane.collect(MOST_AT_ONCE));
  }

  /** Somebody has begun to wait for a reply: look for it rather than sleep. */
  poll(): void {
    if (!this.#isAnyAwake()) return;
    this.#polls = 0;
    this.#bell.ring();
  }

  /** Ends all threads. Lanes must be closed. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#watch?.cancel();
    // Wakes its own listener, which looks at #isStopped.
    this.#bell.ring();
    await this.#pool.close();
    this.#teardowns.close();
  }

  async #listen(): Promise<void> {
    while (!this.#isStopped) {
      this.#noticeReplies();
      let more = false;
      for (const taker of this.#turns.running) if (taker instanceof Lane && taker.collect(MOST_AT_ONCE)) more = true;
      if (more || this.#shouldPoll()) await new Promise<void>((resume) => setImmediate(resume));
      else await this.#bell.sleep(() => this.#isStopped || this.#hasNews());
    }
  }

  #noticeReplies(): void {
    if (!this.#hasNews()) return;
    this.#polls = 0;
    this.#lingers = this.#isAwaited() ? LINGERS : 0;
  }

  #shouldPoll(): boolean {
    if (!this.#isAwaited()) return this.#lingers-- > 0;
    return this.#polls++ < POLLS && this.#isAnyAwake();
  }

  #isAnyAwake(): boolean {
    for (const taker of this.#turns.running) if (taker instanceof Lane && taker.isAwake) return true;
    return false;
  }

  #expectHandlers(): void {
    const distinct = new Map([...this.#handlers.values()].map((source) => [handlerKey(source), source]));
    this.#loads.expect(distinct.values());
  }

  #hasNews(): boolean {
    for (const taker of this.#turns.running) if (taker instanceof Lane && taker.hasNews) return true;
    return false;
  }

  #startWatch(): void {
    if (this.#isStopped || this.#watch !== undefined) return;
    this.#watch = this.#clock.every(WATCH_MS, () => {
      const elapsed = this.#clock.elapsed();
      let isBusy = false;
      for (const lane of this.#lanes) {
        // In a storm of failures a drain wakes nobody while it is busy.
        if (lane.hasNews) lane.collect(MOST_AT_ONCE);
        lane.checkDeadlines(elapsed);
        if (lane.unsettled > 0) isBusy = true;
      }
      this.#breakers.lookAtAll();
      if (isBusy) return;
      this.#watch?.cancel();
      this.#watch = undefined;
    });
  }
}
