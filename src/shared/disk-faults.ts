// When the disk of a bus under test is full: for as long as main says so, or at a rate.
//
//   word 0   FULL      main     1: no write succeeds
//   word 1   WRITES    worker   writes asked for
//   word 2   REFUSED   worker   writes refused
//   word 3   seed      main     at the start
//   byte 16  rate      main

/** Shared by main and the logging worker. */
export class DiskFaults {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #rate: Float64Array;

  static allocate(seed: number): DiskFaults {
    const disk = new DiskFaults(new SharedArrayBuffer(24));
    disk.#words[3] = seed;
    return disk;
  }

  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
    this.#rate = new Float64Array(memory, 16);
  }

  /** The chance of each write to be refused, from 0 to 1. */
  set rate(rate: number) {
    this.#rate[0] = rate;
  }

  set isFull(isFull: boolean) {
    Atomics.store(this.#words, 0, isFull ? 1 : 0);
  }

  /** Writes that were refused so far. */
  get refused(): number {
    return Atomics.load(this.#words, 2);
  }

  /** Asked by the logging worker before each write: the n-th is refused or not by the seed. */
  refuses(): boolean {
    const count = Atomics.add(this.#words, 1, 1);
    const isRefused = Atomics.load(this.#words, 0) === 1 || this.#draw(count) < (this.#rate[0] as number);
    if (isRefused) Atomics.add(this.#words, 2, 1);
    return isRefused;
  }

  /** From 0 to 1. One step of splitmix32, with the count as its state. */
  #draw(count: number): number {
    let h = Math.imul((this.#words[3] as number) + count, 0x9e3779b9);
    h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
  }
}
