// How main tells a lane's drain something: its doorbell, and the words of its turn.
import { Doorbell } from '../shared/doorbell.js';
import { EXIT_BY, TURN_BYTES, Turn } from '../shared/lane-task.js';

/** A microtask by its `then` costs less than half of one by queueMicrotask. */
const settled = Promise.resolve();

/** Belongs to one lane. Runs on the main thread. */
export class LaneSignals {
  readonly bellMemory = Doorbell.allocate();
  readonly turnMemory = new SharedArrayBuffer(TURN_BYTES);
  readonly #bell = new Doorbell(this.bellMemory);
  readonly #turn = new Int32Array(this.turnMemory);
  #drain = 0;
  #isInDoubt = false;
  readonly #ringInDoubt = () => {
    this.#isInDoubt = false;
    this.#bell.ringInDoubt();
  };

  /** There is something new to look at. Costs one atomic load while the drain is awake. */
  ring(): void {
    this.#bell.ring();
  }

  /** A delivery was written into a ring. Costs a plain look while the drain is awake, and a barrier for all before the next microtask. */
  ringForDelivery(): void {
    if (!this.#bell.ringAtAGlance()) this.ringSoon();
  }

  /** As {@link ringForDelivery}, and wakes nobody before the next microtask: what a transport brings comes by the hundred. */
  ringSoon(): void {
    if (this.#isInDoubt) return;
    this.#isInDoubt = true;
    void settled.then(this.#ringInDoubt);
  }

  /** False: the drain sleeps, or is about to wake up. */
  get isHeeded(): boolean {
    return !this.#bell.hasSleeper;
  }

  /** Give the thread back as soon as nothing is in flight. */
  askToLeave(): void {
    Atomics.store(this.#turn, Turn.LEAVE, 1);
    this.#bell.ring();
  }

  /** Takes {@link askToLeave} back. Returns the number of the next drain. */
  beginDrain(): number {
    Atomics.store(this.#turn, Turn.LEAVE, 0);
    Atomics.store(this.#turn, Turn.BEAT, 0);
    this.#drain = (this.#drain + 1) & 0x7fffffff || 1;
    return this.#drain;
  }

  /** True: the thread of this drain has told that it ends, and runs no more code. */
  get hasExited(): boolean {
    return Atomics.load(this.#turn, Turn.EXITED) === this.#drain && this.#drain > 0;
  }

  /** The record whose handler has ended the thread, or one that is in no ring any more; null: not known. */
  get exitedBy(): { readonly place: number; readonly sequence: number } | null {
    const place = Atomics.load(this.#turn, Turn.EXIT_PLACE);
    if (!this.hasExited || place === EXIT_BY.UNKNOWN) return null;
    return { place, sequence: Atomics.load(this.#turn, Turn.EXIT_SEQUENCE) };
  }

  /** What its thread has ended with; null: it has not told. */
  get exitCode(): number | null {
    return this.hasExited ? Atomics.load(this.#turn, Turn.EXIT_CODE) : null;
  }

  /** True: the module of its handler is imported, and its set-up has begun. */
  get isSettingUp(): boolean {
    return Atomics.load(this.#turn, Turn.SETTING_UP) === this.#drain;
  }

  /** False: no thread has taken its task yet. */
  get isTaken(): boolean {
    return Atomics.load(this.#turn, Turn.TAKEN) === this.#drain;
  }

  /** Another one each time the drain's loop turns; 0: it has not begun. */
  get beat(): number {
    return Atomics.load(this.#turn, Turn.BEAT);
  }

  /** False: its handler loads still. */
  get hasBegun(): boolean {
    return this.beat !== 0;
  }

  /** True: the thread is wanted back. */
  get isAsked(): boolean {
    return Atomics.load(this.#turn, Turn.LEAVE) === 1 || Atomics.load(this.#turn, Turn.SHARE) === 1;
  }

  /** Others wait for a thread, or no longer. */
  share(isWanted: boolean): void {
    Atomics.store(this.#turn, Turn.SHARE, isWanted ? 1 : 0);
    if (isWanted) this.#bell.ring();
  }
}
