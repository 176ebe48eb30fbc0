// Time that stands still until it is stepped, on every thread at once, for it lies in shared memory.
//
//   word 0   STEPS     counts the steps; threads that have timers wait for it to change
//   byte 8   ELAPSED   double, stored as its bits, so that no thread ever reads a half of it
//   byte 16  START     double, milliseconds since 1970 at which it began; never changes
//
// Only the thread that made the memory writes it.
import type { Clock, Timer } from './clock.js';

const STEPS = 0;
const ELAPSED = 1;
const START = 2;
const MEMORY_BYTES = 24;

interface Waiting {
  dueAt: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

/** @param startAt milliseconds since 1970 */
export function allocateTime(startAt: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(MEMORY_BYTES);
  new Float64Array(memory)[START] = startAt;
  return memory;
}

/** A clock on such memory; its timers are those of its own thread. */
export class SharedTime implements Clock {
  readonly memory: SharedArrayBuffer;
  protected readonly words: Int32Array;
  readonly #elapsed: BigInt64Array;
  readonly #start: number;
  readonly #double = new Float64Array(1);
  readonly #bits = new BigInt64Array(this.#double.buffer);
  readonly #waiting = new Set<Waiting>();

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Int32Array(memory);
    this.#elapsed = new BigInt64Array(memory);
    this.#start = new Float64Array(memory)[START] as number;
  }

  now = (): number => this.#start + this.elapsed();

  elapsed = (): number => {
    this.#bits[0] = Atomics.load(this.#elapsed, ELAPSED);
    return this.#double[0] as number;
  };

  /** Timers of this thread that have not fired and were not cancelled. */
  get timers(): number {
    return this.#waiting.size;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.at(this.elapsed() + Math.max(0, delayMs), run);
  }

  at(elapsedMs: number, run: () => void): Timer {
    return this.#add({ dueAt: elapsedMs, periodMs: undefined, run });
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add({ dueAt: this.elapsed() + periodMs, periodMs, run });
  }

  protected setElapsed(ms: number): void {
    this.#double[0] = ms;
    Atomics.store(this.#elapsed, ELAPSED, this.#bits[0] as bigint);
  }

  /** Wakes the other threads that have timers. */
  protected tellStep(): void {
    Atomics.add(this.words, STEPS, 1);
    Atomics.notify(this.words, STEPS);
  }

  /** Steps told so far. */
  protected get steps(): number {
    return Atomics.load(this.words, STEPS);
  }

  /** Resolves once there are more steps than `seen`. */
  protected async nextStep(seen: number): Promise<void> {
    await Atomics.waitAsync(this.words, STEPS, seen).value;
  }

  /** When the first timer is due; of those due at the same time, the one that was made first. */
  protected get first(): { readonly dueAt: number } | undefined {
    return firstOf(this.#waiting);
  }

  /** The same, of those that do not repeat. */
  protected get firstOnce(): { readonly dueAt: number } | undefined {
    return firstOf([...this.#waiting].filter(({ periodMs }) => periodMs === undefined));
  }

  protected fire(timer: { readonly dueAt: number }): void {
    const waiting = timer as Waiting;
    if (waiting.periodMs === undefined) this.#waiting.delete(waiting);
    else waiting.dueAt += waiting.periodMs;
    waiting.run();
  }

  protected added(): void {}

  #add(waiting: Waiting): Timer {
    this.#waiting.add(waiting);
    this.added();
    return { cancel: () => this.#waiting.delete(waiting) };
  }
}

function firstOf(timers: Iterable<Waiting>): Waiting | undefined {
  let first: Waiting | undefined;
  for (const waiting of timers) if (first === undefined || waiting.dueAt < first.dueAt) first = waiting;
  return first;
}

/** The clock of another thread, followed on this one: timers fire soon after the step in which they are due. */
export class FollowingClock extends SharedTime {
  #isFollowing = false;

  protected override added(): void {
    if (!this.#isFollowing) void this.#follow();
  }

  /** While there are timers. A step that comes before the wait has changed STEPS, and ends it at once. */
  async #follow(): Promise<void> {
    this.#isFollowing = true;
    // A timer never fires within the call that made it.
    await null;
    while (this.timers > 0) {
      const seen = this.steps;
      const now = this.elapsed();
      for (let next = this.first; next !== undefined && next.dueAt <= now; next = this.first) this.fire(next);
      if (this.timers > 0) await this.nextStep(seen);
    }
    this.#isFollowing = false;
  }
}
