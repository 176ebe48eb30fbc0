// The dead-letter queue: an index in memory, lines in segments, and what may be done with letters.
import type { LetterTable } from '../../src/shared/letter-table.js';
import type { HandedLetter } from '../../src/shared/letter-text.js';
import type {
  LetterEdit,
  LetterFilter,
  LetterState,
  LogLimits,
  ReadLetter,
  ReplayOutcomes,
} from '../../src/shared/logging-task.js';
import type { Erasure } from './erasure.js';
import { rowsOf } from './letter-filter.js';
import { headOf, type LetterHead } from './letter-head.js';
import { LetterIndex } from './letter-index.js';
import {
  beginHanded,
  endHanded,
  failedAgain,
  type LetterLine,
  openLetter,
  parseLetter,
  type StateLine,
  stateOf,
  withPayload,
  writeLetter,
  writeState,
} from './letter-line.js';
import { tableOf } from './letter-list.js';
import { LineBatch } from './line-batch.js';
import type { Damage } from './repair.js';
import { beyondLimits, type Retired } from './retention.js';
import { isSealed } from './sealed-line.js';
import type { Place, Segments } from './segments.js';

/** How far beyond their limit letters may grow between looks at it, in bytes. */
const MOST_BEYOND_BYTES = 16 * 1024 * 1024;
/** Letters that one line changes. */
const MOST_IDS_ON_LINE = 1000;

/** Belongs to the logging worker. Payloads stay on the disk. Methods throw what the disk throws; then nothing has changed. */
export class Letters {
  readonly index = new LetterIndex();
  readonly #segments: Segments;
  readonly #limits: LogLimits;
  readonly #batch = new LineBatch();
  readonly #erasure: Erasure;
  /** Every row before it is gone. */
  #firstRow = 0;
  /** Lines that turned out damaged when they were read. */
  damaged = 0;

  /** @param erasure is told which lines hold no longer */
  constructor(segments: Segments, erasure: Erasure, limits: LogLimits) {
    this.#segments = segments;
    this.#limits = limits;
    this.#erasure = erasure;
  }

  /**
   * Reads what an earlier worker left. A damaged line never stops it.
   *
   * @param replaying letters whose replay still runs; that of all others ended with who began it
   */
  restore(replaying: ReadonlySet<string>): Damage {
    const { index } = this;
    let last = Number.NEGATIVE_INFINITY;
    let isOrdered = true;
    const take = (bytes: Buffer, place: Place): boolean => {
      const end = place.offset + place.length;
      const head = headOf(bytes, place.offset, end);
      if (head === undefined) {
        const change = stateOf(bytes, place.offset, end);
        if (change !== undefined) this.#applyState(change.state, change.error_ids);
        return change !== undefined;
      }
      this.#insert(head, place);
      if (head.timestamp < last) isOrdered = false;
      last = head.timestamp;
      return true;
    };
    const damage = this.#segments.restore(take, (segment, offsets) => {
      index.moveAll(segment, offsets);
      this.#erasure.moveAll(segment, offsets);
    });
    if (!isOrdered) index.tidy();
    for (const row of rowsOf(index, { state: 'pending_replay' })) {
      if (!replaying.has(index.idOf(row))) index.setState(row, 'dead');
    }
    return damage;
  }

  /** Adds letters: when it returns they are on the disk. A letter that is there already is not added again. */
  add(letters: readonly HandedLetter[]): void {
    const batch = this.#batch.clear();
    const heads: (LetterHead | undefined)[] = [];
    for (const letter of letters) {
      beginHanded(batch, letter);
      const head = headOf(batch.memory, batch.lineStart, batch.end);
      if (head !== undefined && this.index.find(head.error_id) >= 0) {
        batch.cancel();
        continue;
      }
      heads.push(head);
      endHanded(batch, letter);
    }
    this.#append(heads);
  }

  list(filter: LetterFilter): LetterTable {
    return tableOf(this.index, rowsOf(this.index, filter));
  }

  ids(filter: LetterFilter): string[] {
    return rowsOf(this.index, filter).map((row) => this.index.idOf(row));
  }

  /** In the order of `ids`; those that are not there, or turn out damaged, are left out. */
  read(ids: readonly string[]): ReadLetter[] {
    return ids.flatMap((id) => {
      const line = this.lineOf(id);
      return line === undefined ? [] : [openLetter(line, line)];
    });
  }

  /**
   * The letter as it stands now; undefined: there is none, or its line turned out damaged, and is set aside. What cannot be
   * read stays a letter: only a line that was read can be known to be damaged.
   */
  lineOf(id: string): LetterLine | undefined {
    const row = this.index.find(id);
    if (row < 0) return undefined;
    const place = this.index.placeOf(row);
    const bytes = this.#segments.read(place);
    const line = isSealed(bytes, 0, bytes.length) ? parseLetter(bytes) : undefined;
    if (line === undefined) {
      this.#segments.setAside(place, bytes);
      this.damaged++;
      this.index.remove(row);
      return undefined;
    }
    const { state, replays, replay_failures, edits } = this.index.summaryOf(row);
    return { ...line, state, replays, replay_failures, edits };
  }

  /** Puts letters that are in one state into another. Returns how many. */
  move(ids: readonly string[], from: LetterState, to: LetterState, now: number): number {
    const moved = ids.filter((id) => this.#stateOf(id) === from);
    this.#change(moved, to, now);
    return moved.length;
  }

  /** Marks letters as being replayed, those that can be read and are not being replayed already. Returns them. */
  claim(ids: readonly string[], now: number): ReadLetter[] {
    const lines = ids.flatMap((id) => {
      const state = this.#stateOf(id);
      const line = state === undefined || state === 'pending_replay' ? undefined : this.lineOf(id);
      return line === undefined ? [] : [line];
    });
    this.#change(
      lines.map(({ error_id: id }) => id),
      'pending_replay',
      now,
    );
    return lines.map((line) => openLetter(line, this.index.summaryOf(this.index.find(line.error_id))));
  }

  /** Returns how many went. */
  remove(ids: readonly string[], now: number): number {
    const known = ids.filter((id) => this.#stateOf(id) !== undefined);
    this.#change(known, 'removed', now);
    return known.length;
  }

  /** Letters whose replay was given up, or whose end came twice, stay as they are. */
  settleReplays({ resolved, refailed, returned }: ReplayOutcomes, now: number): void {
    this.remove(resolved, now);
    this.move(returned, 'pending_replay', 'dead', now);
    const lines = refailed.flatMap(({ id, failure }) => {
      const line = this.#stateOf(id) === 'pending_replay' ? this.lineOf(id) : undefined;
      return line === undefined ? [] : [failedAgain(line, failure)];
    });
    this.write(lines);
  }

  /** The letter as it is now; undefined: there is none, or it is being replayed. */
  edit(id: string, { payload, key, priority, headers }: LetterEdit): ReadLetter | undefined {
    const state = this.#stateOf(id);
    const line = state === undefined || state === 'pending_replay' ? undefined : this.lineOf(id);
    if (line === undefined) return undefined;
    const fields = {
      ...(key === undefined ? {} : { key }),
      ...(priority === undefined ? {} : { priority }),
      ...(headers === undefined ? {} : { headers }),
    };
    const edited = { ...line, ...fields, message: { ...line.message, ...fields }, edits: line.edits + 1 };
    const whole = payload === undefined ? edited : withPayload(edited, payload.codec, payload.bytes);
    this.write([whole]);
    return openLetter(whole, whole);
  }

  clear(): number {
    const { index } = this;
    const { size } = index;
    this.#segments.removeAll();
    this.#erasure.clear();
    this.#segments.removeDamage();
    for (let row = 0; row < index.rows; row++) index.remove(row);
    this.tidy();
    return size;
  }

  /** True when {@link retire} must not wait for its turn. */
  get isFarBeyond(): boolean {
    return this.index.bytes > this.#limits.maxLetterBytes + MOST_BEYOND_BYTES;
  }

  /**
   * Enforces the limits: the oldest go first, archived or not. Returns what went by which rule.
   *
   * @param age the time that letters age by; @param all see {@link beyondLimits}
   */
  retire(now: number, age: number, all: boolean): Retired {
    const { gone, firstLeft, retired } = beyondLimits(this.index, this.#limits, this.#firstRow, age, all);
    this.remove(gone, now);
    this.#firstRow = firstLeft;
    return retired;
  }

  #stateOf(id: string): LetterState | undefined {
    const row = this.index.find(id);
    return row < 0 ? undefined : (this.index.stateOf(row) as LetterState);
  }

  /** Writes letters as they are now: they lie behind all others. */
  write(lines: readonly LetterLine[]): void {
    const batch = this.#batch.clear();
    for (const line of lines) writeLetter(batch, line);
    const { memory, starts, end } = batch;
    this.#append(starts.map((start, at) => headOf(memory, start, starts[at + 1] ?? end)));
  }

  /** Writes the batch, whose lines begin with these heads. */
  #append(heads: readonly (LetterHead | undefined)[]): void {
    if (heads.length === 0) return;
    const places = this.#segments.append(this.#batch);
    this.#batch.clear();
    heads.forEach((head, at) => {
      // Not as busbar makes it: it is on the disk, and the next start will set it aside.
      if (head === undefined) this.damaged++;
      else this.#insert(head, places[at] as Place);
    });
  }

  #change(ids: readonly string[], state: StateLine['state'], now: number): void {
    if (ids.length === 0) return;
    const batch = this.#batch.clear();
    for (let start = 0; start < ids.length; start += MOST_IDS_ON_LINE) {
      writeState(batch, now, state, ids.slice(start, start + MOST_IDS_ON_LINE));
    }
    this.#segments.append(batch);
    batch.clear();
    this.#applyState(state, ids);
  }

  #applyState(state: StateLine['state'], ids: readonly string[]): void {
    for (const id of ids) {
      const row = this.index.find(id);
      if (row < 0) continue;
      if (state === 'removed') {
        this.#erasure.add(this.index.placeOf(row));
        this.index.remove(row);
      } else this.index.setState(row, state);
    }
  }

  #insert(head: LetterHead, place: Place): void {
    const row = this.index.find(head.error_id);
    if (row < 0) {
      this.index.add(head, place);
      return;
    }
    this.#erasure.add(this.index.placeOf(row));
    this.index.replace(row, head, place);
  }

  /** Gives the memory of letters that are gone back. Numbers of rows change. */
  tidy(): void {
    this.index.tidy();
    this.#firstRow = 0;
  }
}
