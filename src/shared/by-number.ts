// Values by whole numbers that come in about the order of their numbers, and of which many go again before the next one comes.

/** Numbers of a page: it may be there for a single one, for partitions share the numbers of their stream. */
const PAGE = 64;

interface Page<V> {
  number: number;
  /** Each in the place of its number. */
  readonly values: (V | undefined)[];
  count: number;
}

/**
 * As a `Map`. One of thousands costs a third of a microsecond a look, for its memory is cold; one that is filled and emptied again and
 * again is made anew each few times. What was added last is held by itself, all else in pages.
 */
export class ByNumber<V> {
  readonly #pages = new Map<number, Page<V>>();
  #latest: Page<V> | undefined;
  /** An empty one, for what comes next. */
  #spare: Page<V> | undefined;
  #paged = 0;
  #newest: V | undefined;
  /** Of the newest. */
  #key = 0;

  get size(): number {
    return this.#newest === undefined ? this.#paged : this.#paged + 1;
  }

  get(key: number): V | undefined {
    if (key === this.#key && this.#newest !== undefined) return this.#newest;
    const place = key % PAGE;
    return this.#pageOf((key - place) / PAGE)?.values[place];
  }

  has(key: number): boolean {
    return this.get(key) !== undefined;
  }

  /** @param key a whole number, not negative, and not in it */
  add(key: number, value: V): void {
    this.#pageNewest();
    this.#key = key;
    this.#newest = value;
  }

  /** False: it was not in it. */
  delete(key: number): boolean {
    if (key === this.#key && this.#newest !== undefined) {
      this.#newest = undefined;
      return true;
    }
    const place = key % PAGE;
    const page = this.#pageOf((key - place) / PAGE);
    if (page?.values[place] === undefined) return false;
    page.values[place] = undefined;
    this.#paged--;
    if (--page.count === 0 && page !== this.#latest) this.#empty(page);
    return true;
  }

  *keys(): Generator<number> {
    this.#pageNewest();
    for (const { number, values } of this.#pages.values())
      for (let place = 0; place < PAGE; place++) if (values[place] !== undefined) yield number * PAGE + place;
  }

  *values(): Generator<V> {
    this.#pageNewest();
    for (const { values } of this.#pages.values()) for (const value of values) if (value !== undefined) yield value;
  }

  #pageNewest(): void {
    if (this.#newest === undefined) return;
    const place = this.#key % PAGE;
    const number = (this.#key - place) / PAGE;
    const page = this.#pageOf(number) ?? this.#newPage(number);
    page.values[place] = this.#newest;
    page.count++;
    this.#paged++;
    this.#newest = undefined;
  }

  #pageOf(number: number): Page<V> | undefined {
    return this.#latest?.number === number ? this.#latest : this.#pages.get(number);
  }

  /** The one before is kept though it may be empty, for the next numbers are likely to be in it; until now. */
  #newPage(number: number): Page<V> {
    if (this.#latest?.count === 0) this.#empty(this.#latest);
    const page = this.#spare ?? { number, values: new Array<V | undefined>(PAGE).fill(undefined), count: 0 };
    this.#spare = undefined;
    page.number = number;
    this.#latest = page;
    this.#pages.set(number, page);
    return page;
  }

  #empty(page: Page<V>): void {
    this.#pages.delete(page.number);
    this.#spare = page;
  }
}
