// One thread of a model: what it sees of the memories, and its run up to one operation more than it has done before.

/** A memory of a model, and what it is called when a story is told. */
export interface ModelMemory {
  readonly name: string;
  /** A multiple of 4. */
  readonly bytes: number;
  /** From this byte on it is read and written plainly, before it is only written so. Default: neither anywhere. */
  readonly plainFrom?: number;
}

/** Ends a run at the point up to which it is known. One for all, for a stack costs more than all the rest of a step. */
export const INTERRUPTED = new Error('interrupted');

/** One operation that a thread has done. */
export interface Done {
  readonly result: unknown;
  /** What was in its word afterwards. */
  readonly word: number;
  /** What lay in the plain parts of all memories when the thread looked there; null: it did not. */
  readonly seen: Uint8Array | null;
  /** What the thread had written plainly before was given out. */
  readonly gaveOut: boolean;
}

/** All memories one after the other, as they are. */
export class World {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly memories: readonly ModelMemory[];
  /** Where each begins. */
  readonly starts: readonly number[];

  constructor(memories: readonly ModelMemory[]) {
    const starts: number[] = [];
    let size = 0;
    for (const { bytes } of memories) {
      starts.push(size);
      size += bytes;
    }
    const buffer = new ArrayBuffer(size);
    this.memories = memories;
    this.starts = starts;
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /** The plain parts. */
  plain(): Uint8Array {
    const parts = this.memories.map(({ bytes, plainFrom = bytes }, index) => {
      const start = this.starts[index] as number;
      return this.bytes.subarray(start + plainFrom, start + bytes);
    });
    // Not a part of Node's pool, which need not begin where a word may.
    return new Uint8Array(Buffer.concat(parts));
  }
}

/** What one thread sees of the memories: its own buffers, for the code under test wants some to work on. */
export class View {
  readonly buffers: readonly SharedArrayBuffer[];
  readonly #memories: readonly ModelMemory[];
  readonly #words: readonly Int32Array[];
  /** As they were when the thread last looked or gave out. */
  readonly #known: readonly Int32Array[];
  /** By place: the value that the thread has last seen there, or put there. */
  readonly #lastSeen = new Map<number, number>();

  constructor(memories: readonly ModelMemory[]) {
    this.#memories = memories;
    this.buffers = memories.map(({ bytes }) => new SharedArrayBuffer(bytes));
    this.#words = this.buffers.map((buffer) => new Int32Array(buffer));
    this.#known = memories.map(({ bytes }) => new Int32Array(bytes / 4));
  }

  /** As it was at the beginning of all. */
  reset(): void {
    this.#lastSeen.clear();
    for (const words of [...this.#words, ...this.#known]) words.fill(0);
  }

  /** What the thread has written, and not given out, it sees as it wrote it. */
  look(plain: Uint8Array): void {
    let from = 0;
    this.#memories.forEach(({ bytes, plainFrom = bytes }, index) => {
      const words = this.#words[index] as Int32Array;
      const known = this.#known[index] as Int32Array;
      const part = new Int32Array(plain.buffer, plain.byteOffset + from, (bytes - plainFrom) / 4);
      from += part.byteLength;
      part.forEach((value, offset) => {
        const word = (plainFrom >> 2) + offset;
        if (words[word] === known[word]) words[word] = value;
        known[word] = value;
      });
    });
  }

  /** True: the thread has written something plainly that it has not given out. */
  get hasKept(): boolean {
    return this.#words.some((words, index) => {
      const known = this.#known[index] as Int32Array;
      return this.#memories[index]?.plainFrom !== undefined && words.some((value, word) => value !== known[word]);
    });
  }

  /** What the thread has written plainly into this word and not given out; undefined: nothing. */
  kept({ memory, word }: Place): number | undefined {
    const value = this.#words[memory]?.[word];
    const isPlain = this.#memories[memory]?.plainFrom !== undefined;
    return isPlain && value !== this.#known[memory]?.[word] ? value : undefined;
  }

  /** Gives out what was written plainly; to nobody, when it was given out in an earlier run. */
  giveOut(world?: World): void {
    this.#words.forEach((words, index) => {
      if (this.#memories[index]?.plainFrom === undefined) return;
      const known = this.#known[index] as Int32Array;
      const start = (world?.starts[index] ?? 0) >> 2;
      for (let word = 0; word < words.length; word++) {
        const value = words[word] as number;
        if (value === known[word]) continue;
        known[word] = value;
        if (world !== undefined) world.words[start + word] = value;
      }
    });
  }

  isNew(place: number, value: unknown): boolean {
    return this.#lastSeen.get(place) !== value;
  }

  /** The thread has seen this value in a word, or put it there. */
  see(place: number, memory: number, word: number, value: number): void {
    this.#lastSeen.set(place, value);
    (this.#words[memory] as Int32Array)[word] = value;
    (this.#known[memory] as Int32Array)[word] = value;
  }
}

/** The place of an operation: in which memory, which word of it, and which of the world. */
export interface Place {
  readonly memory: number;
  readonly word: number;
  readonly place: number;
}

/** These tell nothing about what others have written. */
const BLIND: ReadonlySet<string> = new Set(['store', 'notify', 'waitAsync']);
/** A processor may let it pass the stores before it; all others are barriers. */
const PASSES_STORES = 'load';

/** A program's run up to one operation more than its thread has done. */
export class Run {
  readonly view: View;
  readonly #world: World;
  readonly #log: readonly Done[];
  #next = 0;
  /** The new operation, once it is done. */
  added: Done | undefined;
  /** Where the thread waits now; -1: it does not. */
  waitsAt = -1;
  /** What the new operation was. */
  told = 'ends';

  readonly #hasGivenOut: boolean;

  /** @param hasGivenOut all that the thread has written since its last operation was given out meanwhile */
  constructor(view: View, world: World, log: readonly Done[], hasGivenOut: boolean) {
    this.view = view;
    this.#world = world;
    this.#log = log;
    this.#hasGivenOut = hasGivenOut;
    view.reset();
  }

  /** What was written plainly so far is there for all to see. */
  giveOut(): void {
    if (this.#hasGivenOut) this.view.giveOut();
    else this.view.giveOut(this.#world);
  }

  /** Answers as before, or does it now by `live`, once. */
  operate(at: Place, name: string, live: () => unknown): unknown {
    const kept = name === PASSES_STORES ? this.view.kept(at) : undefined;
    if (kept !== undefined) return kept;
    let done = this.#log[this.#next++];
    if (done === undefined) {
      if (this.added !== undefined || this.waitsAt >= 0) throw INTERRUPTED;
      const gaveOut = this.#hasGivenOut || name !== PASSES_STORES;
      if (gaveOut) this.giveOut();
      const result = live();
      const looks = !BLIND.has(name) && this.view.isNew(at.place, result);
      done = { result, word: this.#world.words[at.place] as number, seen: looks ? this.#world.plain() : null, gaveOut };
      this.added = done;
    } else if (done.gaveOut) {
      this.view.giveOut();
    }
    if (done.seen !== null) this.view.look(done.seen);
    if (name !== 'notify' && name !== 'waitAsync') this.view.see(at.place, at.memory, at.word, done.word);
    return done.result;
  }

  /** Up to the operation that it would do next. */
  stopAtNext(): void {
    this.added = NOTHING;
  }
}

const NOTHING: Done = { result: undefined, word: 0, seen: null, gaveOut: false };
