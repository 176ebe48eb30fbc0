// One ring of a lane as main sees it: what is in it, what has begun, and how it is mended.
import {
  countStart,
  DELIVERY_HEADER_BYTES,
  type Delivery,
  hasRunForFree,
  type LaneNames,
  ownDelivery,
  readDelivery,
  SMALLEST_LANE_RING_BYTES,
  startedAtIndex,
  timeoutsOf,
  Written,
  writeDelivery,
} from '../shared/delivery.js';
import {
  aligned,
  DONE,
  ENDED,
  HEAD,
  LENGTH,
  READY,
  RECORD_HEADER_BYTES,
  SEQUENCE,
  STARTED,
  STATE,
  SUCCEEDED,
} from '../shared/layout.js';
import { MOST_ASIDE } from '../shared/order.js';
import { allocateRing, RingReader, RingWriter } from '../shared/ring.js';
import { RunningWord } from '../shared/running.js';

/** A record whose handler had begun when its thread ended. */
export interface Suspect {
  readonly ring: LaneRing;
  readonly word: number;
  readonly sequence: number;
  /** `Clock.elapsed()` when the handler was called. */
  readonly startedAt: number;
  /** Attempts of its delivery that timed out. */
  readonly timeouts: number;
  /** Attempts of its delivery before this one came to nothing, through no fault of its own or as it wished. */
  readonly runsAgain: boolean;
}

/** What became of the deliveries of a lane, or of one of its rings. */
export interface LaneAccount {
  /** Those whose handler succeeded, since the beginning. */
  readonly succeeded: number;
  /** Those that it still has to see to. */
  readonly unsettled: number;
}

/** What the rings of a lane are like. */
export interface RingShape {
  readonly ringBytes: number;
  /** Deliveries in flight at most. */
  readonly concurrency: number;
  /** Deliveries in one ring at most: what lies in a ring can no longer be reordered or evicted. */
  readonly depth: number;
}

/** One priority's ring. */
export class LaneRing {
  readonly memory: SharedArrayBuffer;
  readonly writer: RingWriter;
  /** Deliveries that came back through the outbox, or were taken out by main, mod 2^32. */
  #handedBack = 0;
  /** The last SEQUENCEs of them, and of told successes, as many as can be in flight: which the reader marked is not sure. */
  readonly #lastSettled: number[] = [];
  /** The largest SEQUENCE that came back from the reader with nothing before it passed over: it has read all before. */
  #furthest = -1;
  readonly #shape: RingShape;
  /** Null: handlers may run side by side, and each record says whether its own runs. */
  readonly #running: RunningWord | null;
  /** How many deliveries may be written before the depth has to be looked at again. */
  #room = 0;
  #succeededWord = 0;
  #succeeded = 0;

  constructor(shape: RingShape) {
    this.memory = allocateRing(Math.max(shape.ringBytes, SMALLEST_LANE_RING_BYTES));
    this.writer = new RingWriter(this.memory);
    this.#shape = shape;
    this.#running = shape.concurrency === 1 ? new RunningWord(this.memory) : null;
  }

  /** Both of one moment, for the reader goes on counting. Ask at least every 2^31 successes. */
  account(): LaneAccount {
    const word = this.writer.succeeded;
    this.#succeeded += (word - this.#succeededWord) | 0;
    this.#succeededWord = word;
    return { succeeded: this.#succeeded, unsettled: (this.writer.written - word - this.#handedBack) | 0 };
  }

  /** FULL: by bytes or by depth. */
  write(delivery: Delivery, names: LaneNames, stamp: number): Written {
    if (this.#room <= 0) {
      this.#room = this.#shape.depth - this.unsettled;
      if (this.#room <= 0) return Written.FULL;
    }
    this.#room--;
    return writeDelivery(this.writer, delivery, names, stamp);
  }

  /** Bytes of the payloads in this ring, with their topics, keys and headers. */
  get waitingBytes(): number {
    return Math.max(0, this.writer.unreleasedBytes - this.unsettled * (RECORD_HEADER_BYTES + DELIVERY_HEADER_BYTES));
  }

  /** Deliveries in this ring that are neither succeeded nor handed back. */
  get unsettled(): number {
    return (this.writer.written - this.writer.succeeded - this.#handedBack) | 0;
  }

  /** True: it holds as many as it may, whatever their bytes. */
  get isFullByDepth(): boolean {
    return this.unsettled >= this.#shape.depth;
  }

  /** The reader has sent this delivery back. */
  handBack(sequence: number, isPastOthers: boolean): void {
    this.#countHandedBack(sequence);
    if (!isPastOthers && ((sequence - this.#furthest) | 0) > 0) this.#furthest = sequence;
  }

  /** The reader has told of this delivery that it succeeded, and counts it next: should it die before, it is settled all the same. */
  noteSettled(sequence: number): void {
    if (this.#lastSettled.push(sequence) > this.#shape.concurrency) this.#lastSettled.shift();
  }

  /** The unreleased records from the oldest on, as (header word, SEQUENCE, STATE). Stops when `visit` returns false. */
  walk(visit: (word: number, sequence: number, state: number) => boolean): void {
    const reader = new RingReader(this.memory);
    for (let word = reader.next(); word >= 0; word = reader.next()) {
      const state = Atomics.load(reader.words, word + STATE);
      if (!visit(word, reader.words[word + SEQUENCE] as number, state)) return;
    }
  }

  /** The started records, at most as many as can be in flight. */
  started(): Suspect[] {
    if (this.#running !== null) return this.#oneStarted(this.#running);
    const suspects: Suspect[] = [];
    let unread = 0;
    this.walk((word, sequence, state) => {
      if (state === STARTED) {
        if (!this.#isSettled(sequence)) suspects.push(this.#suspect(word, sequence));
      } else if (state === READY) {
        unread++;
      }
      // Done ones are passed over: behind a slow attempt there may be any number of them.
      return suspects.length < this.#shape.concurrency && unread < this.#shape.concurrency + MOST_ASIDE;
    });
    return suspects;
  }

  /**
   * Makes the ring right after its reader's thread died: what was settled is done, what had begun is returned, and
   * the counters agree with the records again.
   */
  repair(): Suspect[] {
    if (this.#running !== null) this.#markFirst(this.#running);
    const suspects: Suspect[] = [];
    let remaining = 0;
    this.walk((word, sequence, state) => {
      if (state !== DONE && this.#isSettled(sequence)) this.#setState(word, DONE);
      else if (state !== DONE) remaining++;
      return true;
    });
    this.walk((word, sequence, state) => {
      if (state === STARTED) suspects.push(this.#suspect(word, sequence));
      // Nobody was told what it came to: it runs again, and is to know that.
      if (state === ENDED) this.absolve({ word });
      return true;
    });
    const control = new Int32Array(this.memory);
    Atomics.store(control, SUCCEEDED, (this.writer.written - this.#handedBack - remaining) | 0);
    // What was read and not settled is read again.
    this.#furthest = (this.writer.oldest - 1) | 0;
    return suspects;
  }

  /** True when this record, and all before it, have left the ring. */
  hasPassed(sequence: number): boolean {
    return ((this.writer.oldest - sequence) | 0) > 0;
  }

  /** True when the reader has surely come to this record, and what it sent back until then has arrived. */
  hasRead(sequence: number): boolean {
    return ((this.#furthest - sequence) | 0) >= 0;
  }

  /** Gives an innocent back to the lane: it runs again, and only `started` tells. */
  absolve({ word }: Pick<Suspect, 'word'>): void {
    countStart(this.writer, word);
    this.#setState(word, READY);
  }

  /** Takes a culprit out of the lane. */
  take({ word, sequence }: Suspect, names: LaneNames): Delivery {
    const delivery = readDelivery(this.writer, (word << 2) + RECORD_HEADER_BYTES, names);
    const owned = ownDelivery(delivery);
    this.#setState(word, DONE);
    this.#countHandedBack(sequence);
    return owned;
  }

  /** Takes everything out that has not been settled. Only while nobody reads. */
  takeAll(names: LaneNames): Delivery[] {
    const all: Delivery[] = [];
    this.walk((word, sequence, state) => {
      if (state === DONE) return true;
      const delivery = this.take(this.#suspect(word, sequence), names);
      // Its handler was at work.
      if (state === STARTED) delivery.started++;
      all.push(delivery);
      return true;
    });
    this.releaseDone();
    return all;
  }

  /** Releases the done records at the front. Only while nobody reads. */
  releaseDone(): void {
    const control = new Int32Array(this.memory);
    let head = Atomics.load(control, HEAD);
    const capacity = this.writer.capacity;
    this.walk((word, _sequence, state) => {
      if (state !== DONE) return false;
      const place = head & (capacity - 1);
      const padding = word << 2 === place ? 0 : capacity - place;
      head = (head + padding + aligned(this.writer.words[word + LENGTH] as number)) | 0;
      return true;
    });
    Atomics.store(control, HEAD, head);
  }

  #oneStarted(running: RunningWord): Suspect[] {
    const now = running.read(this.writer.oldest);
    const suspects: Suspect[] = [];
    if (now === undefined || this.#isSettled(now.sequence)) return suspects;
    this.walk((word, sequence) => {
      if (sequence === now.sequence) suspects.push(this.#suspect(word, sequence, now.startedAt));
      return false;
    });
    return suspects;
  }

  /** Says in the first record what the dead reader said in its own words: the rest of the repair knows only records. */
  #markFirst(running: RunningWord): void {
    let left = 0;
    let first = -1;
    this.walk((word, sequence, state) => {
      if (state === DONE || this.#isSettled(sequence)) return true;
      if (left++ === 0) first = word;
      return true;
    });
    const isCounted = ((this.writer.succeeded - (this.writer.written - this.#handedBack - left)) | 0) > 0;
    if (first >= 0 && isCounted) this.#setState(first, DONE);
    for (const { word, sequence, startedAt } of this.#oneStarted(running)) {
      // Its successor may not come to it at once, and must not be blamed for it before.
      running.suspend(sequence);
      if (Atomics.load(this.writer.words, word + STATE) !== READY) continue;
      this.writer.doubles[startedAtIndex(word)] = startedAt;
      this.#setState(word, STARTED);
    }
  }

  #countHandedBack(sequence: number): void {
    this.#handedBack = (this.#handedBack + 1) | 0;
    this.noteSettled(sequence);
  }

  #isSettled(sequence: number): boolean {
    return this.#lastSettled.includes(sequence);
  }

  #suspect(word: number, sequence: number, startedAt = this.writer.doubles[startedAtIndex(word)] as number): Suspect {
    const { writer } = this;
    return {
      ring: this,
      word,
      sequence,
      startedAt,
      timeouts: timeoutsOf(writer, word),
      runsAgain: hasRunForFree(writer, word),
    };
  }

  #setState(word: number, state: number): void {
    Atomics.store(this.writer.words, word + STATE, state);
  }
}
