// A queue from which taking the oldest costs the same however long it is.

/** Below so many empty places, to move the rest costs more than it saves. */
const WORTH_COMPACTING = 1024;

/** Runs on any thread. */
export class Fifo<T> {
  /** Empty places before `#first`: what was taken is not held. */
  #items: (T | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  get oldest(): T | undefined {
    return this.#items[this.#first];
  }

  add(item: T): void {
    this.#items.push(item);
  }

  take(): T | undefined {
    const oldest = this.#items[this.#first];
    if (this.#first === this.#items.length) return undefined;
    this.#items[this.#first++] = undefined;
    const isEmpty = this.#first === this.#items.length;
    // At most as many are moved as were taken since the last time.
    if (isEmpty || (this.#first > WORTH_COMPACTING && this.#first * 2 > this.#items.length)) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return oldest;
  }

  /** Before all others, in this order. */
  putBack(items: readonly T[]): void {
    this.#items = [...items, ...this.#items.slice(this.#first)];
    this.#first = 0;
  }

  takeAll(): T[] {
    return this.takeWhere(() => true);
  }

  /** Takes out all of which this is true. O(length). */
  takeWhere(isWanted: (item: T) => boolean): T[] {
    const taken: T[] = [];
    const left: T[] = [];
    for (const item of this) (isWanted(item) ? taken : left).push(item);
    if (taken.length === 0) return taken;
    this.#items = left;
    this.#first = 0;
    return taken;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#first; index < this.#items.length; index++) yield this.#items[index] as T;
  }
}
