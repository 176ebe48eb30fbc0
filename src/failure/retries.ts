// Deliveries that wait for their retry: a heap by due time, and one timer for all of them.
import type { Clock, Timer } from '../shared/clock.js';

interface Waiting<T> {
  readonly dueAt: number;
  /** Keeps the order of those due at the same time. */
  readonly order: number;
  readonly item: T;
}

/** Belongs to one bus. Runs on the main thread; holds no worker thread. */
export class RetrySchedule<T> {
  readonly #clock: Clock;
  readonly #onDue: (item: T) => void;
  #heap: Waiting<T>[] = [];
  #orders = 0;
  #timer: Timer | undefined;
  #timerDueAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (item: T) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** @param delayMs from now */
  add(item: T, delayMs: number): void {
    const dueAt = this.#clock.elapsed() + delayMs;
    this.#heap.push({ dueAt, order: this.#orders++, item });
    this.#rise(this.#heap.length - 1);
    if (dueAt < this.#timerDueAt) this.#arm();
  }

  /** Takes out all for which `isWanted`. */
  takeWhere(isWanted: (item: T) => boolean): T[] {
    const taken: T[] = [];
    const kept = this.#heap.filter((waiting) => !isWanted(waiting.item) || taken.push(waiting.item) === 0);
    if (taken.length === 0) return taken;
    this.#heap = [];
    for (const waiting of kept) {
      this.#heap.push(waiting);
      this.#rise(this.#heap.length - 1);
    }
    this.#arm();
    return taken;
  }

  #arm(): void {
    this.#timer?.cancel();
    const first = this.#heap[0];
    this.#timerDueAt = first?.dueAt ?? Number.POSITIVE_INFINITY;
    this.#timer = first && this.#clock.after(Math.max(0, first.dueAt - this.#clock.elapsed()), () => this.#fire());
  }

  #fire(): void {
    const now = this.#clock.elapsed();
    for (let first = this.#heap[0]; first !== undefined && first.dueAt <= now; first = this.#heap[0]) {
      this.#removeFirst();
      this.#onDue(first.item);
    }
    this.#arm();
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #rise(from: number): void {
    let index = from;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfBefore(index, parent)) return;
      index = parent;
    }
  }

  #sink(from: number): void {
    let index = from;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const child = right < this.#heap.length && this.#isBefore(right, left) ? right : left;
      if (child >= this.#heap.length || !this.#swapIfBefore(child, index)) return;
      index = child;
    }
  }

  #swapIfBefore(child: number, parent: number): boolean {
    if (!this.#isBefore(child, parent)) return false;
    const moved = this.#heap[child] as Waiting<T>;
    this.#heap[child] = this.#heap[parent] as Waiting<T>;
    this.#heap[parent] = moved;
    return true;
  }

  #isBefore(a: number, b: number): boolean {
    const first = this.#heap[a] as Waiting<T>;
    const second = this.#heap[b] as Waiting<T>;
    return first.dueAt === second.dueAt ? first.order < second.order : first.dueAt < second.dueAt;
  }
}
