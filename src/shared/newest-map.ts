// A map by number for what mostly goes again before the next one comes.

/** As a `Map`, but what was set last is not in one: to fill and empty a map again and again costs a new one each few times. */
export class NewestMap<V> {
  readonly #others = new Map<number, V>();
  #newest: V | undefined;
  #key = 0;

  get size(): number {
    return this.#others.size + (this.#newest === undefined ? 0 : 1);
  }

  /** As a map, in the order in which they were set. */
  get all(): ReadonlyMap<number, V> {
    this.#moveNewest();
    return this.#others;
  }

  get(key: number): V | undefined {
    return this.#newest !== undefined && key === this.#key ? this.#newest : this.#others.get(key);
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  /** @param key must not be in it */
  add(key: number, value: V): void {
    this.#moveNewest();
    this.#key = key;
    this.#newest = value;
  }

  /** False: it was not in it. */
  delete(key: number): boolean {
    if (this.#newest === undefined || key !== this.#key) return this.#others.delete(key);
    this.#newest = undefined;
    return true;
  }

  #moveNewest(): void {
    if (this.#newest !== undefined) this.#others.set(this.#key, this.#newest);
    this.#newest = undefined;
  }
}
