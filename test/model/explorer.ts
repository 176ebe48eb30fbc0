// Explores every interleaving of a few threads' atomic operations, by running the real code that does them.
//
// The code under test speaks to other threads through `Atomics` and shared memory alone. While a model is explored, the
// global `Atomics` is a fake, each of whose operations is a point where the thread may be interrupted or may die. No
// thread is real: to let one take a step, its program runs again from the beginning, operations that it did before answer
// what they answered then, the next one is carried out, and the one after that throws the program out of its run. So the
// model cannot drift from the code: it is the code. Depth first with memoised states; search by replay is from Godefroid,
// "Model Checking for Programming Languages using VeriSoft", POPL 1997.
//
// Plain writes reach the others all together, at any time before or with the writer's next atomic operation that is not a mere
// load: loads may pass them, as on x64 (Owens, Sarkar and Sewell, "A Better x86 Memory Model: x86-TSO", TPHOLs 2009). A thread
// sees them once a load gives it a value that it has not seen there. Time limits of waits are ignored, for a wake-up that comes
// only with them is lost.
import { INTERRUPTED, type ModelMemory, type Place, Run, View, World } from './replay.js';
import { GONE, keyOf, type State, type Story, storyOf, type ThreadState, textOf } from './state.js';

/** A thread of the model: a program that must behave alike whenever its operations answer alike. */
export interface ModelThread {
  readonly name: string;
  /**
   * One round of the program, on the thread's own view of the memories.
   *
   * @param carried all that it knows from its earlier rounds; at first 0
   * @returns what the next round is to know; nothing: this was the last
   */
  run(memories: readonly SharedArrayBuffer[], carried: number): Promise<number | undefined>;
  /** It may be ended before any of its operations. */
  readonly isMortal?: boolean;
  /** Starts once the thread of this name has died; not at all if that comes to its end. */
  readonly succeeds?: string;
}

export interface Model {
  readonly memories: readonly ModelMemory[];
  readonly threads: readonly ModelThread[];
}

/** What was found, when nothing was wrong. */
export interface Explored {
  readonly states: number;
  /** States in which all threads had come to their end. */
  readonly ends: number;
}

/** All stood still before their end, or a thread found something wrong; tells the steps that led there. */
export class Counterexample extends Error {
  override readonly name = 'Counterexample';

  constructor(what: string, story: readonly string[], cause?: unknown) {
    super(`${what}, after\n  ${story.join('\n  ')}`, { cause });
  }
}

const MOST_STATES = 1_000_000;
const REAL = globalThis.Atomics;

/**
 * Explores all interleavings to their ends.
 *
 * @throws Counterexample
 */
export async function explore(model: Model): Promise<Explored> {
  const explorer = new Explorer(model);
  globalThis.Atomics = explorer.fakeAtomics();
  try {
    return await explorer.explore();
  } finally {
    globalThis.Atomics = REAL;
  }
}

class Explorer {
  readonly #threads: readonly ModelThread[];
  readonly #world: World;
  readonly #views: readonly View[];
  readonly #numbers = new Map<string, number>();
  /** The run in progress, and who is woken by it. */
  #run: Run | undefined;
  #isWoken = false;
  #notified = new Set<number>();

  constructor({ memories, threads }: Model) {
    this.#threads = threads;
    this.#world = new World(memories);
    this.#views = threads.map(() => new View(memories));
  }

  async explore(): Promise<Explored> {
    const threads = this.#threads.map(({ succeeds }): ThreadState => {
      return { ...GONE, status: succeeds === undefined ? 'ready' : 'not born' };
    });
    const toVisit: State[] = [this.#state(threads, null)];
    const known = new Set(toVisit.map(keyOf));
    let ends = 0;
    for (let state = toVisit.pop(); state !== undefined; state = toVisit.pop()) {
      const next = await this.#nextOf(state);
      if (next.length === 0) {
        const stuck = this.#threads.filter((_, index) => state?.threads[index]?.status === 'waiting');
        if (stuck.length > 0) {
          throw new Counterexample(`${stuck.map(({ name }) => name)} sleeps for ever`, storyOf(state.story));
        }
        ends++;
      }
      for (const one of next) {
        const key = keyOf(one);
        if (known.has(key)) continue;
        known.add(key);
        toVisit.push(one);
      }
      if (known.size > MOST_STATES) throw new Error(`the model has more than ${MOST_STATES} states`);
    }
    return { states: known.size, ends };
  }

  async #nextOf(state: State): Promise<State[]> {
    const next: State[] = [];
    for (const [index, { status, keeps }] of state.threads.entries()) {
      const isAlive = status === 'ready' || status === 'woken';
      if (isAlive) next.push(await this.#step(state, index));
      if (isAlive && keeps) next.push(await this.#giveOut(state, index));
      const { isMortal = false } = this.#threads[index] as ModelThread;
      if (isMortal && (isAlive || status === 'waiting')) next.push(this.#kill(state, index));
    }
    return next;
  }

  /** A dead thread waits for nothing any more. */
  #kill(state: State, index: number): State {
    const { name } = this.#threads[index] as ModelThread;
    const threads = state.threads.map((thread, other): ThreadState => {
      if (other === index) return { ...GONE, status: 'dead' };
      return this.#threads[other]?.succeeds === name ? { ...thread, status: 'ready' } : thread;
    });
    return { ...state, threads, story: { step: `${name} dies`, before: state.story } };
  }

  /** The thread's next operation, and what its program does up to the one after that. */
  async #step(state: State, index: number): Promise<State> {
    const before = state.threads[index] as ThreadState;
    const { name, run: program } = this.#threads[index] as ModelThread;
    this.#world.words.set(state.memory);
    const run = new Run(this.#views[index] as View, this.#world, before.log, before.hasGivenOut);
    this.#run = run;
    this.#isWoken = before.status === 'woken';
    this.#notified.clear();
    let after: ThreadState;
    try {
      const carried = await program(run.view.buffers, before.carried);
      if (run.added !== undefined && run.view.hasKept) {
        // Its last operation was a load: others may take steps before what it has written comes out.
        after = this.#advanced(before, run);
      } else {
        run.giveOut();
        after = { ...GONE, status: carried === undefined ? 'done' : 'ready', carried: carried ?? 0 };
      }
    } catch (thrown) {
      const story = [...storyOf(state.story), `${name} ${run.told}`];
      if (thrown !== INTERRUPTED) throw new Counterexample(`${name} found: ${String(thrown)}`, story, thrown);
      after = this.#advanced(before, run);
    } finally {
      this.#run = undefined;
    }
    const threads = state.threads.map((other, n): ThreadState => {
      if (n === index) return after;
      const isNotified = other.status === 'waiting' && this.#notified.has(other.waitsAt);
      return isNotified ? { ...other, status: 'woken' } : other;
    });
    return this.#state(threads, { step: `${name} ${run.told}`, before: state.story });
  }

  /** What the thread has written plainly comes out by itself. */
  async #giveOut(state: State, index: number): Promise<State> {
    const before = state.threads[index] as ThreadState;
    const { name, run: program } = this.#threads[index] as ModelThread;
    this.#world.words.set(state.memory);
    const run = new Run(this.#views[index] as View, this.#world, before.log, false);
    run.stopAtNext();
    this.#run = run;
    await program(run.view.buffers, before.carried).then(
      () => undefined,
      (thrown) => {
        if (thrown !== INTERRUPTED) throw thrown;
      },
    );
    this.#run = undefined;
    run.giveOut();
    const after = { ...before, keeps: false, hasGivenOut: true };
    const threads = state.threads.map((other, n) => (n === index ? after : other));
    return this.#state(threads, { step: `what ${name} has written comes out`, before: state.story });
  }

  #advanced(before: ThreadState, { added, waitsAt, view }: Run): ThreadState {
    if (added === undefined) return { ...before, status: 'waiting', waitsAt, keeps: false, hasGivenOut: false };
    const keeps = view.hasKept;
    const seen = added.seen === null ? '' : textOf(added.seen);
    const told = `${String(added.result)}>${added.word}>${added.gaveOut}>${seen}`;
    const logNumber = this.#numberOf(`${before.logNumber}>${told}`);
    const log = [...before.log, added];
    return { ...before, status: 'ready', log, logNumber, waitsAt: -1, keeps, hasGivenOut: false };
  }

  #state(threads: readonly ThreadState[], story: Story | null): State {
    const memory = this.#world.words.slice();
    return { memory, memoryNumber: this.#numberOf(textOf(this.#world.bytes)), threads, story };
  }

  #numberOf(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    this.#numbers.set(text, this.#numbers.size + 1);
    return this.#numbers.size;
  }

  /** `Atomics` for the threads of the model; the real one for all others. */
  fakeAtomics(): typeof Atomics {
    const operations = Object.getOwnPropertyNames(REAL).map((name) => [
      name,
      (array: Int32Array, index: number, ...values: number[]): unknown => {
        const real = Reflect.get(REAL, name) as (...all: unknown[]) => unknown;
        const run = this.#run;
        const memory = run?.view.buffers.indexOf(array.buffer as SharedArrayBuffer) ?? -1;
        if (run === undefined || memory < 0) return real.call(REAL, array, index, ...values);
        const word = array.byteOffset / 4 + index;
        const place = { memory, word, place: (this.#world.starts[memory] as number) / 4 + word };
        if (name === 'waitAsync') return this.#wait(run, place, values[0] as number);
        return run.operate(place, name, () => {
          if (name === 'notify') this.#notified.add(place.place);
          const result = this.#result(name, place, values);
          run.told = `${name} ${[this.#shown(place), ...values].join(' ')} → ${String(result)}`;
          return result;
        });
      },
    ]);
    return Object.assign(Object.create(REAL), Object.fromEntries(operations)) as typeof Atomics;
  }

  /** To be woken while it blocks, or to look when the time is over, comes to the same: it sees a change, or none. */
  #result(name: string, { place }: Place, values: readonly number[]): unknown {
    const { words } = this.#world;
    if (name === 'notify') return undefined;
    if (name === 'wait') return words[place] === values[0] ? 'timed-out' : 'not-equal';
    return (Reflect.get(REAL, name) as (...all: unknown[]) => unknown).call(REAL, words, place, ...values);
  }

  #shown({ memory, word }: Place): string {
    return `${this.#world.memories[memory]?.name}[${word}]`;
  }

  #wait(run: Run, place: Place, expected: number): { async: boolean; value: unknown } {
    const answer = run.operate(place, 'waitAsync', () => {
      if (this.#isWoken) {
        run.told = `wakes up at ${this.#shown(place)}`;
        return 'ok';
      }
      run.told = `waits for ${this.#shown(place)} to change from ${expected}`;
      if (this.#world.words[place.place] !== expected) return 'not-equal';
      run.waitsAt = place.place;
      throw INTERRUPTED;
    });
    return answer === 'ok' ? { async: true, value: Promise.resolve(answer) } : { async: false, value: answer };
  }
}
