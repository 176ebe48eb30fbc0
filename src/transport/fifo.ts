// A queue from which taking the oldest costs the same however long it is.

/** Places that are empty, before they are cut off. */
const MOST_EMPTY = 1024;

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
    if (this.#first === this.#items.length || this.#first > MOST_EMPTY) {
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
    const all = this.#items.slice(this.#first) as T[];
    this.#items = [];
    this.#first = 0;
    return all;
  }
}
