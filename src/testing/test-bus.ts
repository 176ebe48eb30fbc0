// A bus for tests: stepped time, a folder of its own, a ledger, faults on demand, and waiting that ends.
/// <reference lib="esnext.disposable" preserve="true" />
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AnyTopics,
  type HealthStatus,
  MessageBus,
  type MessageBusOptions,
  type StopOptions,
  type StoredLetter,
} from '../index.js';
import { systemClock } from '../shared/clock.js';
import { BusbarError, invalidOption } from '../shared/errors.js';
import { drawFault, type FaultKind } from '../shared/fault-plan.js';
import { TEST_HOOKS } from '../shared/test-hooks.js';
import { type FaultOptions, planOf } from './fault-options.js';
import type { Ledger } from './ledger.js';
import { SteppedClock } from './stepped-clock.js';
import { TestBench } from './test-bench.js';

/** Options of {@link createTestBus}: those of a bus, with fewer threads by default, and what tests need. */
export interface TestBusOptions extends Omit<MessageBusOptions, 'clock' | 'errorLogDir'> {
  /** 'system': real time, which nobody steps. Default: a stepped clock of its own. */
  readonly clock?: SteppedClock | 'system';
  /** Default: none. */
  readonly faults?: FaultOptions;
}

/** How to wait. */
export interface WaitOptions {
  /** Real milliseconds after which waiting is given up, more than 0. Default 10 000. */
  readonly timeoutMs?: number;
}

/** How {@link TestBus.settled} waits. */
export interface SettledOptions extends WaitOptions {
  /** True: whenever nothing moves, time is stepped to the next retry, probe of a breaker, or end of an injected fault. */
  readonly step?: boolean;
}

const POLL_MS = 1;
/** Before the event loop has a turn again. */
const MOST_STEPS = 1000;
/** A worker that does not start another handler for so long, in real milliseconds, is not going to. */
const QUIET_MS = 100;
const SMALL_HEAP = { maxOldGenerationSizeMb: 64 };

/** Made by {@link createTestBus}. All methods run on the main thread. */
export class TestBus<Topics extends object = AnyTopics> extends MessageBus<Topics> {
  readonly #bench: TestBench;
  readonly #clock: SteppedClock | null;
  readonly #folder: string;
  #lastChange = { what: '', at: 0 };

  /** @internal */
  constructor(options: MessageBusOptions, bench: TestBench, clock: SteppedClock | null, folder: string) {
    super(options);
    this.#bench = bench;
    this.#clock = clock;
    this.#folder = folder;
  }

  /** What became of each delivery, told by the workers and by settling, apart from the counters of health. */
  get ledger(): Ledger {
    return this.#bench.ledger;
  }

  /** Of the injected faults; give it as `faults.seed`, or as BUSBAR_SEED, to have the same ones again. */
  get seed(): number {
    return this.#bench.plan.seed;
  }

  /** @throws BUSBAR_INVALID_OPTION when this bus runs in real time */
  get clock(): SteppedClock {
    if (this.#clock === null) throw invalidOption('clock', 'a stepped clock, to be looked at or stepped', 'system');
    return this.#clock;
  }

  /** The folder of the error log and the dead letters; gone after stop. */
  get folder(): string {
    return this.#folder;
  }

  /** The fault that this subscription's delivery of this message suffers. Messages without an id are `test-0`, `test-1`, … */
  faultOf(subscriberId: string, messageId: string): FaultKind | null {
    return drawFault(this.#bench.plan, subscriberId, messageId);
  }

  /** From now on the disk is full, or is not: the logging worker's writes fail with ENOSPC. */
  setDiskFull(isFull: boolean): void {
    this.#bench.diskFaults.isFull = isFull;
  }

  /** Lets `ms` pass, as {@link SteppedClock.step} does. */
  step(ms: number): void {
    this.clock.step(ms);
  }

  /** All dead letters, oldest first; none where error handling is off. */
  async deadLetters(): Promise<StoredLetter[]> {
    return (await this.deadLetterQueue?.getMessages()) ?? [];
  }

  /**
   * Resolves once every delivery is settled, and those that handlers published, too.
   *
   * @throws BUSBAR_NOT_SETTLED, with what is pending and the seed
   */
  async settled({ step = false, timeoutMs }: SettledOptions = {}): Promise<void> {
    await this.#wait('all deliveries to be settled', timeoutMs, () => {
      const isSettled = this.isSettled();
      if (!isSettled && step) this.#stepWhileStill();
      return isSettled;
    });
  }

  /**
   * Resolves once `isThere` says so about the bus's health.
   *
   * @throws BUSBAR_NOT_SETTLED; what `isThere` throws
   */
  async until(isThere: (health: HealthStatus) => boolean, { timeoutMs }: WaitOptions = {}): Promise<void> {
    await this.#wait('what the test asks for', timeoutMs, () => isThere(this.getHealthStatus()));
  }

  /** Resolves once as many handlers run. */
  running(handlers = 1, options: WaitOptions = {}): Promise<void> {
    return this.until(({ subscriptions }) => sum(subscriptions, 'inFlight') >= handlers, options);
  }

  /**
   * Holds the counters of health against each other and against the ledger. Called at the end of every stop.
   *
   * @throws BUSBAR_ACCOUNTING: an error in busbar
   */
  verify(): void {
    // Before the snapshot: what workers have told is in the ledger only once it was read.
    const isSettled = this.isSettled();
    const { subscriptions } = this.getHealthStatus();
    for (const { subscriberId, routed, succeeded, deadLettered, dropped, pending } of subscriptions) {
      if (routed === succeeded + deadLettered + dropped + pending) continue;
      const counters = JSON.stringify({ routed, succeeded, deadLettered, dropped, pending });
      throw this.#error('BUSBAR_ACCOUNTING', `the counters of ${subscriberId} do not agree: ${counters}`);
    }
    if (!isSettled) return;
    for (const id of new Set(subscriptions.map(({ subscriberId }) => subscriberId))) {
      const mine = subscriptions.filter(({ subscriberId }) => subscriberId === id);
      for (const outcome of ['succeeded', 'deadLettered', 'dropped'] as const) {
        const [counted, listed] = [sum(mine, outcome), this.ledger[outcome](id).length];
        if (counted === listed) continue;
        throw this.#error('BUSBAR_ACCOUNTING', `${id} counts ${counted} ${outcome}, the ledger lists ${listed}`);
      }
    }
  }

  /**
   * As `MessageBus.stop`, waiting in real time: step first what is to be settled. Then verifies, and removes the folder.
   *
   * @throws BUSBAR_ACCOUNTING, BUSBAR_INVALID_OPTION
   */
  override async stop(options?: StopOptions): Promise<void> {
    await super.stop(options);
    rmSync(this.#folder, { recursive: true, force: true });
    this.verify();
  }

  /** `stop({ drain: false })`, for `await using`. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.stop({ drain: false });
  }

  #pending(): number {
    return sum(this.getHealthStatus().subscriptions, 'pending');
  }

  /** Only ever while no handler runs that does more than wait: time must not pass for those. */
  #stepWhileStill(): void {
    const { clock } = this;
    for (let steps = 0; steps < MOST_STEPS; steps++) {
      const { isStill, mayBeStill, idleUntil } = this.#bench.motion(clock.elapsed());
      const ms = Math.min(idleUntil - clock.elapsed(), clock.untilNext ?? Number.POSITIVE_INFINITY);
      if (!Number.isFinite(ms) || (!isStill && !(mayBeStill && this.#isQuiet()))) return;
      if (this.#pending() === 0) return;
      clock.step(Math.max(0, ms));
    }
  }

  /** Too early is no harm: a handler that starts meanwhile starts after the step. */
  #isQuiet(): boolean {
    const what = `${this.#pending()} ${this.clock.elapsed()}`;
    const at = systemClock.elapsed();
    if (what !== this.#lastChange.what) this.#lastChange = { what, at };
    return at - this.#lastChange.at > QUIET_MS;
  }

  async #wait(what: string, timeoutMs = 10_000, isThere: () => boolean): Promise<void> {
    if (!(timeoutMs > 0)) throw invalidOption('timeoutMs', 'a number of milliseconds > 0', timeoutMs);
    const giveUpAt = systemClock.elapsed() + timeoutMs;
    while (!isThere()) {
      if (systemClock.elapsed() > giveUpAt) {
        const { subscriptions, reasons } = this.getHealthStatus();
        const state = JSON.stringify({ subscriptions, reasons });
        throw this.#error('BUSBAR_NOT_SETTLED', `waited ${timeoutMs} real ms in vain for ${what}: ${state}`);
      }
      await new Promise<void>((resume) => systemClock.after(POLL_MS, resume, true));
    }
  }

  #error(code: 'BUSBAR_NOT_SETTLED' | 'BUSBAR_ACCOUNTING', text: string): BusbarError {
    return new BusbarError(code, `${text} (seed ${this.seed})`);
  }
}

/**
 * A started bus, on a stepped clock, with one worker thread unless told otherwise. Its retries, breakers and deadlines are
 * those of production: time costs nothing here.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export async function createTestBus<Topics extends object = AnyTopics>({
  clock = new SteppedClock(),
  faults = {},
  ...options
}: TestBusOptions = {}): Promise<TestBus<Topics>> {
  const plan = planOf(faults);
  const bench = new TestBench(plan, options.threads ?? 1);
  const folder = mkdtempSync(join(tmpdir(), 'busbar-test-'));
  const stepped = clock === 'system' ? null : clock;
  const given = {
    threads: 1,
    spareThreads: 0,
    ...(plan.rates.outOfMemory > 0 ? { resourceLimits: SMALL_HEAP } : {}),
    ...options,
    errorLogDir: folder,
    ...(stepped === null ? {} : { clock: stepped }),
    [TEST_HOOKS]: bench,
  };
  try {
    const bus = new TestBus<Topics>(given, bench, stepped, folder);
    await bus.start();
    // A disk that is full from the start is another fault: start() says so.
    bench.diskFaults.rate = plan.diskFull;
    return bus;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

type Counter = 'succeeded' | 'deadLettered' | 'dropped' | 'pending' | 'inFlight';

function sum(subscriptions: readonly Readonly<Record<Counter, number>>[], counter: Counter): number {
  return subscriptions.reduce((total, subscription) => total + subscription[counter], 0);
}
