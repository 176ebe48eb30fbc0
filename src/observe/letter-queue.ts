// Dead letters on their way to the disk: through the ring while it has room, on main while it has none.

import type { Doorbell } from '../shared/doorbell.js';
import { FRESH, type LetterText, letterRecordBytes, letterText, writeLetterRecord } from '../shared/letter-text.js';
import { type LetterHeader, LogRecord, Status } from '../shared/logging-task.js';
import type { RingWriter } from '../shared/ring.js';
import { copyOf } from '../shared/views.js';
import { LargeLetters } from './large-letters.js';
import { type LetterName, LostLetters, nameOf } from './lost-letters.js';

/** What may wait on main beside the ring, in bytes. */
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

interface Letter {
  readonly name: LetterName;
  /** Null: it is in the ring. */
  content: Content | null;
  onStored: ((isStored: boolean) => void) | undefined;
  readonly insists: boolean;
}

interface Content {
  readonly text: LetterText;
  readonly codec: LetterHeader['payload_codec'];
  payload: Uint8Array;
  /** Of its record in the ring. */
  readonly bytes: number;
}

/** Runs on the main thread. */
export class LetterQueue {
  readonly #ring: RingWriter;
  readonly #bell: Doorbell;
  readonly #mainBell: Doorbell;
  readonly #status: Int32Array;
  readonly #large: LargeLetters;
  /** In the ring, not stored yet, oldest first. */
  readonly #inRing: Letter[] = [];
  /** Not in the ring yet. */
  readonly #behind: Letter[] = [];
  #behindBytes = 0;
  #acknowledged: number;
  #isListening = false;
  #isClosed = false;
  #onMoved: (() => void)[] = [];
  /** Letters dropped because the disk fails and too many wait, or because it still failed at the end. */
  readonly lost = new LostLetters();

  /** @param store takes a letter that is too large for the ring */
  constructor(
    ring: RingWriter,
    bell: Doorbell,
    mainBell: Doorbell,
    status: Int32Array,
    store: (header: LetterHeader, payload: Uint8Array) => Promise<void>,
  ) {
    this.#ring = ring;
    this.#bell = bell;
    this.#mainBell = mainBell;
    this.#status = status;
    this.#large = new LargeLetters(store, this.lost);
    this.#acknowledged = ring.succeeded;
  }

  /** Letters that are not stored yet. */
  get waiting(): number {
    return this.#inRing.length + this.#behind.length + this.#large.waiting;
  }

  /** Those of them that the disk has refused so far. */
  get refused(): number {
    return this.#isFailing ? this.waiting : this.#large.refused;
  }

  add(header: LetterHeader, payload: Uint8Array, onStored: (isStored: boolean) => void, insists: boolean): void {
    const text = letterText(header, FRESH);
    const bytes = letterRecordBytes(text, payload);
    if (bytes > this.#ring.largestRecord) {
      this.#large.add(header, copyOf(payload), onStored, insists);
      return;
    }
    const letter: Letter = {
      name: nameOf(header),
      content: { text, codec: header.payload_codec, payload, bytes },
      onStored,
      insists,
    };
    if (this.#behind.length > 0 || !this.#write(letter)) this.#wait(letter);
    if (this.#isFailing && !insists) this.#settle(letter, false);
    void this.#listen();
  }

  /** Resolves once everything added so far is in the ring, or cannot be. */
  handedOver(): Promise<void> {
    if (this.#behind.length === 0 || this.#isFailing) return Promise.resolve();
    return new Promise((done) => this.#onMoved.push(done));
  }

  /** Settles what is left: nobody will store it any more. */
  close(): void {
    this.#isClosed = true;
    this.#takeAcknowledged();
    this.#large.close();
    for (const letter of [...this.#inRing.splice(0), ...this.#behind.splice(0)]) {
      this.lost.add(letter.name);
      this.#settle(letter, false);
    }
  }

  get #isAnyInOrder(): boolean {
    return this.#inRing.length + this.#behind.length > 0;
  }

  get #isFailing(): boolean {
    return Atomics.load(this.#status, Status.FAILING) === 1;
  }

  #write(letter: Letter): boolean {
    const { text, codec, payload, bytes } = letter.content as Content;
    if (!writeLetterRecord(this.#ring, LogRecord.LETTER, text, codec, payload, bytes)) return false;
    letter.content = null;
    this.#inRing.push(letter);
    this.#bell.ring();
    return true;
  }

  #wait(letter: Letter): void {
    const content = letter.content as Content;
    if (this.#behindBytes + content.bytes > MOST_WAITING_BYTES) {
      this.lost.add(letter.name);
      this.#settle(letter, false);
      return;
    }
    // A view on memory that will be used again.
    content.payload = copyOf(content.payload);
    this.#behind.push(letter);
    this.#behindBytes += content.bytes;
  }

  /** Wakes when the worker has stored letters, or says that it cannot. */
  async #listen(): Promise<void> {
    if (this.#isListening) return;
    this.#isListening = true;
    while (this.#isAnyInOrder && !this.#isClosed) {
      this.#takeAcknowledged();
      if (this.#isFailing) this.#giveUpWaiting();
      this.#moveUp();
      if (!this.#isAnyInOrder) break;
      await this.#mainBell.sleep(() => this.#ring.succeeded !== this.#acknowledged, 1000);
    }
    this.#isListening = false;
  }

  #takeAcknowledged(): void {
    const stored = (this.#ring.succeeded - this.#acknowledged) | 0;
    this.#acknowledged = (this.#acknowledged + stored) | 0;
    for (const letter of this.#inRing.splice(0, stored)) this.#settle(letter, true);
  }

  /** The disk fails: verdicts stand all the same, and the letters are written when they can be. */
  #giveUpWaiting(): void {
    for (const letter of this.#inRing) if (!letter.insists) this.#settle(letter, false);
    for (const letter of this.#behind) if (!letter.insists) this.#settle(letter, false);
  }

  #moveUp(): void {
    let moved = 0;
    for (const letter of this.#behind) {
      const { bytes } = letter.content as Content;
      if (!this.#write(letter)) break;
      this.#behindBytes -= bytes;
      moved++;
    }
    this.#behind.splice(0, moved);
    if (this.#behind.length > 0 && !this.#isFailing) return;
    for (const done of this.#onMoved.splice(0)) done();
  }

  #settle(letter: Letter, isStored: boolean): void {
    letter.onStored?.(isStored);
    letter.onStored = undefined;
  }
}
