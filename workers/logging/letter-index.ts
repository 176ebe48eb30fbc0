// What is known of each letter without reading it: in columns, about 120 bytes a letter, so that a million fit.
import { hashOf } from '../../src/shared/key-hash.js';
import type { LetterState, LetterSummary } from '../../src/shared/logging-task.js';
import type { LetterHead, LetterTraits } from './letter-head.js';
import type { Place } from './segments.js';

const COLUMNS = {
  timestamp: Float64Array,
  segment: Uint32Array,
  offset: Uint32Array,
  length: Uint32Array,
  /** Of its error_id: asked before the texts are compared. */
  hash: Uint32Array,
  /** Where its error_id lies among all texts; its message_id follows. */
  text: Float64Array,
  idLength: Uint32Array,
  messageIdLength: Uint32Array,
  /** These are numbers of names. */
  topic: Uint32Array,
  subscriber: Uint32Array,
  pattern: Uint32Array,
  signature: Uint32Array,
  category: Uint32Array,
  reason: Uint32Array,
  retries: Uint32Array,
  replays: Uint32Array,
  failures: Uint32Array,
  edits: Uint32Array,
  /** 0: the letter is gone. */
  state: Uint8Array,
} as const;
type Columns = { [Name in keyof typeof COLUMNS]: InstanceType<(typeof COLUMNS)[Name]> };

const STATES: readonly (LetterState | 'removed')[] = ['removed', 'dead', 'pending_replay', 'archived'];
const FEWEST_ROWS = 1024;

/** Belongs to the logging worker. Rows are in the order of time; a row's number is valid until {@link tidy}. */
export class LetterIndex {
  #columns = columnsOf(FEWEST_ROWS);
  #capacity = FEWEST_ROWS;
  /** Rows in use, those of letters that are gone among them. */
  rows = 0;
  /** Letters. */
  size = 0;
  /** Bytes of their lines. */
  bytes = 0;
  /** Letters by the segment that their line lies in. */
  #inSegment = new Map<number, number>();
  #texts = Buffer.allocUnsafe(FEWEST_ROWS * 32);
  #textBytes = 0;
  #names: string[] = [];
  #numbers = new Map<string, number>();
  /** Row + 1 by the hash of its error_id; 0: free. */
  #slots = new Uint32Array(FEWEST_ROWS * 2);

  get columns(): Readonly<Columns> {
    return this.#columns;
  }

  /** The row of a letter, or -1. */
  find(id: string): number {
    const mask = this.#slots.length - 1;
    const hash = hashOf(id);
    const { state, hash: hashes } = this.#columns;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = (this.#slots[slot] as number) - 1;
      if (row < 0) return -1;
      if (hashes[row] === hash && state[row] !== 0 && this.idOf(row) === id) return row;
    }
  }

  /** Adds a letter that is not there. Returns its row. */
  add({ error_id, timestamp, message_id, traits }: LetterHead, place: Place): number {
    if (this.rows === this.#capacity) this.#grow();
    const row = this.rows++;
    this.size++;
    this.#columns.hash[row] = hashOf(error_id);
    this.#columns.text[row] = this.#textBytes;
    this.#columns.idLength[row] = this.#write(error_id);
    this.#columns.messageIdLength[row] = this.#write(message_id);
    this.#columns.timestamp[row] = timestamp;
    this.#set(row, traits);
    this.#put(row, place);
    this.bytes += place.length;
    this.#count(place.segment, 1);
    this.#claimSlot(row);
    return row;
  }

  /** The letter says something else now, on another line. */
  replace(row: number, { timestamp, traits }: LetterHead, place: Place): void {
    this.#columns.timestamp[row] = timestamp;
    this.#set(row, traits);
    this.#move(row, place);
  }

  #move(row: number, place: Place): void {
    this.bytes += place.length - (this.#columns.length[row] as number);
    this.#count(this.#columns.segment[row] as number, -1);
    this.#count(place.segment, 1);
    this.#put(row, place);
  }

  /** Lines of a segment lie elsewhere in it now: from offset to offset. */
  moveAll(segment: number, offsets: ReadonlyMap<number, number>): void {
    const c = this.#columns;
    for (let row = 0; row < this.rows; row++) {
      if (c.segment[row] !== segment) continue;
      c.offset[row] = offsets.get(c.offset[row] as number) ?? (c.offset[row] as number);
    }
  }

  remove(row: number): void {
    if (this.#columns.state[row] === 0) return;
    this.#columns.state[row] = 0;
    this.size--;
    this.bytes -= this.#columns.length[row] as number;
    this.#count(this.#columns.segment[row] as number, -1);
  }

  /** Letters whose line lies in this segment. */
  lettersIn(segment: number): number {
    return this.#inSegment.get(segment) ?? 0;
  }

  setState(row: number, state: LetterState): void {
    this.#columns.state[row] = STATES.indexOf(state);
    if (state === 'pending_replay') (this.#columns.replays[row] as number)++;
  }

  stateOf(row: number): LetterState | 'removed' {
    return STATES[this.#columns.state[row] as number] as LetterState | 'removed';
  }

  idOf(row: number): string {
    const from = this.#columns.text[row] as number;
    return this.#texts.toString('utf8', from, from + (this.#columns.idLength[row] as number));
  }

  messageIdOf(row: number): string {
    const from = (this.#columns.text[row] as number) + (this.#columns.idLength[row] as number);
    return this.#texts.toString('utf8', from, from + (this.#columns.messageIdLength[row] as number));
  }

  placeOf(row: number): Place {
    const { segment, offset, length } = this.#columns;
    return { segment: segment[row] as number, offset: offset[row] as number, length: length[row] as number };
  }

  summaryOf(row: number): LetterSummary {
    const { error_id, timestamp, message_id, traits } = this.#headOf(row);
    return { error_id, timestamp, message_id, ...traits, bytes: this.#columns.length[row] as number };
  }

  #headOf(row: number): LetterHead {
    const c = this.#columns;
    const nameIn = (column: Uint32Array): string => this.nameOf(column[row] as number);
    const traits: LetterTraits = {
      topic: nameIn(c.topic),
      subscriber_id: nameIn(c.subscriber),
      pattern: nameIn(c.pattern),
      error_category: nameIn(c.category) as LetterSummary['error_category'],
      reason: nameIn(c.reason) as LetterSummary['reason'],
      signature: nameIn(c.signature),
      retry_count: c.retries[row] as number,
      state: this.stateOf(row) as LetterState,
      replays: c.replays[row] as number,
      replay_failures: c.failures[row] as number,
      edits: c.edits[row] as number,
    };
    return {
      error_id: this.idOf(row),
      timestamp: c.timestamp[row] as number,
      message_id: this.messageIdOf(row),
      traits,
    };
  }

  /** The latest time of a letter that is not in the future; -Infinity: there is none. */
  latest(now: number): number {
    let latest = Number.NEGATIVE_INFINITY;
    for (let row = 0; row < this.rows; row++) {
      const time = this.#columns.timestamp[row] as number;
      if (time <= now && time > latest) latest = time;
    }
    return latest;
  }

  nameOf(number: number): string {
    return this.#names[number] as string;
  }

  /** The number of a name that some letter has or had, or -1. */
  numberOf(name: string): number {
    return this.#numbers.get(name) ?? -1;
  }

  /** Rows in the order of time, without those that are gone. Row numbers change. */
  tidy(): void {
    const kept: number[] = [];
    for (let row = 0; row < this.rows; row++) if (this.#columns.state[row] !== 0) kept.push(row);
    const { timestamp } = this.#columns;
    kept.sort((a, b) => (timestamp[a] as number) - (timestamp[b] as number) || a - b);
    const tidied = new LetterIndex();
    for (const row of kept) tidied.add(this.#headOf(row), this.placeOf(row));
    this.#columns = tidied.#columns;
    this.#capacity = tidied.#capacity;
    this.rows = tidied.rows;
    this.#texts = tidied.#texts;
    this.#textBytes = tidied.#textBytes;
    this.#names = tidied.#names;
    this.#numbers = tidied.#numbers;
    this.#slots = tidied.#slots;
    this.#inSegment = tidied.#inSegment;
  }

  /** True when {@link tidy} would be worth it. */
  get isUntidy(): boolean {
    return this.rows > FEWEST_ROWS && this.rows > this.size * 2;
  }

  #set(row: number, letter: LetterTraits): void {
    const c = this.#columns;
    c.topic[row] = this.#number(letter.topic);
    c.subscriber[row] = this.#number(letter.subscriber_id);
    c.pattern[row] = this.#number(letter.pattern);
    c.signature[row] = this.#number(letter.signature);
    c.category[row] = this.#number(letter.error_category);
    c.reason[row] = this.#number(letter.reason);
    c.retries[row] = letter.retry_count;
    c.replays[row] = letter.replays;
    c.failures[row] = letter.replay_failures;
    c.edits[row] = letter.edits;
    c.state[row] = STATES.indexOf(letter.state);
  }

  #put(row: number, { segment, offset, length }: Place): void {
    this.#columns.segment[row] = segment;
    this.#columns.offset[row] = offset;
    this.#columns.length[row] = length;
  }

  #count(segment: number, more: number): void {
    const count = this.lettersIn(segment) + more;
    if (count === 0) this.#inSegment.delete(segment);
    else this.#inSegment.set(segment, count);
  }

  #number(name: string): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#numbers.set(name, this.#names.length);
    return this.#names.push(name) - 1;
  }

  #write(text: string): number {
    const most = text.length * 3;
    if (this.#textBytes + most > this.#texts.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#texts.length * 2, this.#textBytes + most));
      this.#texts.copy(larger, 0, 0, this.#textBytes);
      this.#texts = larger;
    }
    const written = this.#writeAscii(text) ? text.length : this.#texts.write(text, this.#textBytes, 'utf8');
    this.#textBytes += written;
    return written;
  }

  /** A call into native code takes longer than the characters of an id. False: not all are ASCII. */
  #writeAscii(text: string): boolean {
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) return false;
      this.#texts[this.#textBytes + at] = code;
    }
    return true;
  }

  #claimSlot(row: number): void {
    const mask = this.#slots.length - 1;
    let slot = (this.#columns.hash[row] as number) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
  }

  #grow(): void {
    const larger = columnsOf(this.#capacity * 2);
    for (const name of Object.keys(COLUMNS) as (keyof Columns)[]) larger[name].set(this.#columns[name]);
    this.#columns = larger;
    this.#capacity *= 2;
    this.#slots = new Uint32Array(this.#capacity * 2);
    for (let row = 0; row < this.rows; row++) {
      if (this.#columns.state[row] !== 0) this.#claimSlot(row);
    }
  }
}

function columnsOf(capacity: number): Columns {
  const columns = Object.entries(COLUMNS).map(([name, Type]) => [name, new Type(capacity)]);
  return Object.fromEntries(columns) as Columns;
}
