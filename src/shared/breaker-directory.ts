// Circuit breakers by name, in memory that all threads share: whoever asks for a name first makes its breaker.
//
//   slots of 256 bytes, filled from the first on, never emptied:
//   word 0     TAKEN    any thread, by compare-and-swap: 0 free, 1 being filled, 2 filled
//   word 1     length of the name; from byte 8: the name as UTF-8
//   byte 192   the breaker: see breaker-words.ts
import { SharedBreaker } from './breaker.js';
import { type BreakerOptions, layBreaker } from './breaker-words.js';
import { CircuitBreaker } from './circuit-breaker.js';
import type { Clock } from './clock.js';
import { BusbarError, invalidOption } from './errors.js';

/** The memory of all breakers that handlers can name. */
export interface BreakersMemory {
  /** Those that were configured, with options of their own. */
  readonly configured: readonly { readonly name: string; readonly memory: SharedArrayBuffer }[];
  /** The others. */
  readonly directory: SharedArrayBuffer;
}

/** A breaker in shared memory. */
export interface LaidBreaker {
  readonly memory: SharedArrayBuffer;
  /** In bytes; undefined: it has the memory to itself. */
  readonly offset: number | undefined;
}

const SLOT_BYTES = 256;
const NAME_BYTE = 8;
const BREAKER_BYTE = 192;
const LONGEST_NAME_BYTES = BREAKER_BYTE - NAME_BYTE;
const MOST_SLOTS = 512;

const FREE = 0;
const FILLING = 1;
const FILLED = 2;
/** A thread that dies while it fills a slot leaves it so for ever; nobody waits longer than this many looks. */
const MOST_LOOKS = 100_000;

/** One thread's view of them. Runs on any thread. */
export class BreakerDirectory {
  readonly #directory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #clock: Clock;
  readonly #known = new Map<string, CircuitBreaker>();

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(SLOT_BYTES * MOST_SLOTS);
  }

  constructor({ configured, directory }: BreakersMemory, clock: Clock) {
    this.#directory = directory;
    this.#words = new Int32Array(directory);
    this.#bytes = Buffer.from(directory);
    this.#clock = clock;
    for (const { name, memory } of configured) this.#remember(name, new SharedBreaker(memory, clock));
  }

  /**
   * The breaker of this name, the same for all threads; made with the defaults when nobody has asked for it before.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  of(name: string): CircuitBreaker {
    return this.#known.get(name) ?? this.#find(name);
  }

  /** Configured ones, and all that any thread has asked for. */
  names(): string[] {
    for (let slot = 0; slot < MOST_SLOTS && this.#state(slot) !== FREE; slot++) {
      if (this.#state(slot) !== FILLED) continue;
      const name = this.#nameOf(slot);
      if (!this.#known.has(name)) this.#remember(name, this.#breakerOf(slot));
    }
    return [...this.#known.keys()];
  }

  /**
   * Where the breaker of this name lies; made with these options when nobody has asked for it before.
   *
   * @throws BUSBAR_INVALID_OPTION
   */
  lay(name: string, options: BreakerOptions): LaidBreaker & { readonly isNew: boolean } {
    const { slot, isNew } = this.#slotFor(name, options);
    return { memory: this.#directory, offset: slot * SLOT_BYTES + BREAKER_BYTE, isNew };
  }

  /** One that lies elsewhere is the breaker of this name from here on, on this thread; null: no longer. */
  know(name: string, elsewhere: SharedBreaker | null): void {
    if (elsewhere === null) this.#known.delete(name);
    else this.#remember(name, elsewhere);
  }

  #find(name: string): CircuitBreaker {
    return this.#remember(name, this.#breakerOf(this.#slotFor(name, {}).slot));
  }

  #slotFor(name: string, options: BreakerOptions): { slot: number; isNew: boolean } {
    const bytes = checkedName(name);
    for (let slot = 0; slot < MOST_SLOTS; slot++) {
      if (Atomics.compareExchange(this.#words, slot * (SLOT_BYTES / 4), FREE, FILLING) === FREE) {
        this.#fill(slot, bytes, options);
        return { slot, isNew: true };
      }
      if (this.#isFilled(slot) && this.#nameOf(slot) === name) return { slot, isNew: false };
    }
    throw new BusbarError('BUSBAR_INVALID_OPTION', `there are ${MOST_SLOTS} breakers already; no more can be named`);
  }

  #fill(slot: number, name: Buffer, options: BreakerOptions): void {
    const start = slot * SLOT_BYTES;
    this.#words[start / 4 + 1] = name.length;
    this.#bytes.set(name, start + NAME_BYTE);
    layBreaker(this.#directory, start + BREAKER_BYTE, options);
    Atomics.store(this.#words, start / 4, FILLED);
  }

  /** Filling takes another thread less than a microsecond. */
  #isFilled(slot: number): boolean {
    for (let looks = 0; looks < MOST_LOOKS; looks++) if (this.#state(slot) === FILLED) return true;
    return false;
  }

  #state(slot: number): number {
    return Atomics.load(this.#words, slot * (SLOT_BYTES / 4));
  }

  #nameOf(slot: number): string {
    const start = slot * SLOT_BYTES + NAME_BYTE;
    return this.#bytes.toString('utf8', start, start + (this.#words[slot * (SLOT_BYTES / 4) + 1] as number));
  }

  #breakerOf(slot: number): SharedBreaker {
    return new SharedBreaker(this.#directory, this.#clock, slot * SLOT_BYTES + BREAKER_BYTE);
  }

  #remember(name: string, shared: SharedBreaker): CircuitBreaker {
    const breaker = CircuitBreaker.over(name, shared);
    this.#known.set(name, breaker);
    return breaker;
  }
}

function checkedName(name: unknown): Buffer {
  const bytes = typeof name === 'string' ? Buffer.from(name) : undefined;
  if (bytes !== undefined && bytes.length > 0 && bytes.length <= LONGEST_NAME_BYTES) return bytes;
  throw invalidOption('breaker name', `a text of 1 to ${LONGEST_NAME_BYTES} bytes`, name);
}
