// The rings of one lane as its drain reads them: which comes next, and what may be released.

import type { Attempt } from '../../src/shared/attempt.js';
import type { Permit } from '../../src/shared/breaker.js';
import { decodePayload, decodeRange } from '../../src/shared/codec.js';
import type { AttemptContext } from '../../src/shared/context.js';
import {
  type DeliveryHead,
  isLarge,
  markProbe,
  payloadEnd,
  payloadStart,
  startedAtIndex,
  takeProbe,
} from '../../src/shared/delivery.js';
import { DONE, ENDED, RECORD_HEADER_BYTES, SEQUENCE, STARTED, STATE } from '../../src/shared/layout.js';
import type { RecordAddress } from '../../src/shared/outcome.js';
import type { ErrorPhase } from '../../src/shared/report.js';
import { RingReader } from '../../src/shared/ring.js';
import { RunningWord } from '../../src/shared/running.js';

/** A record that was read, until it may be released. */
interface Read {
  /** The ring position after the record. */
  readonly end: number;
  /** True once its record may be released. */
  isDone: boolean;
}

/** A record that others pass, for one before it of its stream runs. */
export interface Aside extends Read {
  readonly place: Place;
  readonly word: number;
}

/**
 * An attempt at the record `word` of a place. No subclass, and its fields are only declared: what a class makes of either costs
 * 50 ns a message.
 */
export class RingAttempt implements Attempt, Read {
  declare phase: ErrorPhase;
  declare payload: unknown;
  declare readonly permit: Permit | null;
  declare readonly context: AttemptContext;
  declare readonly delivery: DeliveryHead;
  /** `Clock.elapsed()`. */
  declare readonly startedAt: number;
  declare readonly place: Place;
  declare readonly word: number;
  /** Its payload, where that lies in memory of its own. */
  declare private readonly large: Buffer | null;
  /** Null: it was not passed by others. */
  declare readonly aside: Aside | null;
  declare readonly end: number;
  /** True once its handler was called. */
  declare hasBegun: boolean;
  /** True once its value or error was taken; what comes after is late. */
  declare hasEnded: boolean;
  /** Thrown from a timer or a floating rejection while its function ran, which has failed then, and runs on. */
  declare lateThrow: { readonly thrown: unknown } | null;
  /** True when its delivery may come back, which main answers. */
  declare asksMain: boolean;
  declare isDone: boolean;

  constructor(
    permit: Permit | null,
    context: AttemptContext,
    delivery: DeliveryHead,
    startedAt: number,
    place: Place,
    word: number,
    large: Buffer | null,
    aside: Aside | null,
  ) {
    this.phase = 'decode';
    this.payload = undefined;
    this.permit = permit;
    this.context = context;
    this.delivery = delivery;
    this.startedAt = startedAt;
    this.place = place;
    this.word = word;
    this.large = large;
    this.aside = aside;
    this.end = aside === null ? place.reader.cursor : aside.end;
    this.hasBegun = false;
    this.hasEnded = false;
    this.lateThrow = null;
    this.asksMain = false;
    this.isDone = false;
  }

  /** Where its outcome says that it comes from. */
  get address(): RecordAddress {
    const { index, reader, hasAsides } = this.place;
    return { place: index, sequence: reader.words[this.word + SEQUENCE] as number, isPastOthers: hasAsides };
  }

  /** @throws BUSBAR_DECODING */
  decode(mode: 'copy' | 'view'): unknown {
    const { codec } = this.delivery;
    if (this.large !== null) return decodePayload(codec, this.large, mode);
    const { reader } = this.place;
    return decodeRange(codec, reader.bytes, reader.words, payloadStart(this.word), payloadEnd(reader, this.word), mode);
  }
}

/** The payload of the record `word`, where that does not lie in it. Null: it does. Undefined: it was published after these were handed to the drain. */
export function largePayload(
  reader: RingReader,
  word: number,
  { number }: DeliveryHead,
  large: ReadonlyMap<number, Buffer>,
): Buffer | null | undefined {
  return isLarge(reader, (word << 2) + RECORD_HEADER_BYTES) ? large.get(number) : null;
}

/** One ring of the lane, which is that of one priority, and the attempts that read from it. */
export class Place {
  /** In the lane's list of rings: 0 is the lowest priority. */
  readonly index: number;
  readonly reader: RingReader;
  /** Those that are not released, oldest first. */
  readonly #window: Read[] = [];
  #asides = 0;
  /** Null: several handlers may run side by side. */
  readonly #running: RunningWord | null;

  constructor(index: number, memory: SharedArrayBuffer, isSerial: boolean) {
    this.index = index;
    this.reader = new RingReader(memory);
    this.#running = isSerial ? new RunningWord(memory) : null;
  }

  /** True: others have passed records of this ring that have not begun. */
  get hasAsides(): boolean {
    return this.#asides > 0;
  }

  /** The word index of the header of this record; null: of the next one. */
  wordOf(aside: Aside | null): number {
    return aside === null ? this.reader.peek() : aside.word;
  }

  /** Reads the next record, whose attempt may begin after those of others. */
  setAside(word: number): Aside {
    this.reader.next();
    const aside = { place: this, word, end: this.reader.cursor, isDone: false };
    this.#window.push(aside);
    this.#asides++;
    return aside;
  }

  /** Its record was read. */
  track(attempt: RingAttempt): void {
    if (attempt.permit?.isProbe === true) markProbe(this.reader, attempt.word);
    if (attempt.aside !== null) this.#asides--;
    else if (this.#running === null) this.#window.push(attempt);
  }

  /** From here on a death of this thread is pinned to this attempt, and its deadline counts from `since`. */
  begin(attempt: RingAttempt, since = attempt.startedAt): void {
    attempt.hasBegun = true;
    if (this.#running !== null) {
      this.#running.begin(this.#sequenceOf(attempt), since);
      return;
    }
    this.reader.doubles[startedAtIndex(attempt.word)] = since;
    Atomics.store(this.reader.words, attempt.word + STATE, STARTED);
  }

  /** Its breaker has heard what the attempt came to: should this thread die, there is no place to be freed. */
  leaveBreaker(attempt: RingAttempt): void {
    if (attempt.permit?.isProbe === true) takeProbe(this.reader, attempt.word);
  }

  /** The handler, if it was called, has ended, but the outcome waits for room: a death of this thread is not its doing. */
  suspend(attempt: RingAttempt): void {
    this.leaveBreaker(attempt);
    if (!attempt.hasBegun) return;
    this.#running?.suspend(this.#sequenceOf(attempt));
    Atomics.store(this.reader.words, attempt.word + STATE, ENDED);
  }

  /** The attempt's outcome is with main, or it succeeded: its record, and those done before, may go. */
  finish(attempt: RingAttempt, succeeded: boolean): void {
    if (this.#running !== null) {
      if (succeeded) this.reader.releaseSucceeded(attempt.end);
      else this.reader.releaseTo(attempt.end);
      return;
    }
    const read = attempt.aside ?? attempt;
    read.isDone = true;
    Atomics.store(this.reader.words, attempt.word + STATE, DONE);
    if (succeeded) this.reader.countSuccess();
    const window = this.#window;
    let released: Read | undefined;
    while (window[0]?.isDone === true) released = window.shift();
    if (released !== undefined) this.reader.releaseTo(released.end);
  }

  #sequenceOf(attempt: RingAttempt): number {
    return this.reader.words[attempt.word + SEQUENCE] as number;
  }
}

/** One pick in this many looks at the lower priorities first, so that none starves. */
const TURN_OF_THE_LOWER = 16;

/** Chooses the next record: higher priorities first. */
export class Places {
  /** Highest priority first. */
  readonly #places: readonly Place[];
  #picks = 0;
  #lower = 0;

  constructor(rings: readonly (SharedArrayBuffer | null)[], isSerial: boolean) {
    this.#places = rings.flatMap((ring, index) => (ring === null ? [] : [new Place(index, ring, isSerial)])).reverse();
  }

  /** False: it is of a drain before, and none of its attempts is under way. */
  includes(place: Place): boolean {
    return this.#places.includes(place);
  }

  /** True when main waits for room somewhere, and has it. */
  get haveWantedRoom(): boolean {
    let have = false;
    for (const { reader } of this.#places) {
      reader.showRelease();
      if (reader.hasWantedRoom) have = true;
    }
    return have;
  }

  /** The place whose record comes next, or undefined when all are empty. */
  next(): Place | undefined {
    const places = this.#places;
    if (places.length > 1 && ++this.#picks % TURN_OF_THE_LOWER === 0) {
      this.#lower = (this.#lower + 1) % places.length;
      const lower = places[this.#lower];
      if (lower?.reader.hasNext) return lower;
    }
    for (const place of places) if (place.reader.hasNext) return place;
    return undefined;
  }
}
