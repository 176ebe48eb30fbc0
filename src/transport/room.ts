// How much room a bounded buffer has, and who waits for some: in order, and nobody overtakes them.
import { Fifo } from '../shared/fifo.js';

export interface RoomLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** What takes room. */
export interface Sized {
  readonly data: Uint8Array;
}

/** Runs on the main thread. */
export class Room<T extends Sized> {
  readonly #limits: RoomLimits;
  readonly #admit: (item: T) => void;
  readonly #late = new Fifo<T>();
  #size = 0;
  #bytes = 0;
  /** One was refused, though others may still fit. */
  #isShort = false;
  #whenRoom: (() => void)[] = [];
  #isClosed = false;

  /** @param admit enters one that waited */
  constructor(limits: RoomLimits, admit: (item: T) => void) {
    this.#limits = limits;
    this.#admit = admit;
  }

  /** Those that are in, and those that wait. */
  get size(): number {
    return this.#size + this.#late.length;
  }

  /** Room for this one, and nobody waits for it. False while others are in: nobody is ready before half of it is free. */
  isFor(item: T): boolean {
    const isFor = this.#late.length === 0 && this.#fits(item);
    if (!isFor && this.#size > 0) this.#isShort = true;
    return isFor;
  }

  /** Room for one that does not stay for long, however large it is, and nobody waits for it. False: as {@link isFor}. */
  isForAny(): boolean {
    const isFull = this.#late.length > 0 || this.#isFull;
    if (isFull) this.#isShort = true;
    return !isFull;
  }

  /** One that will be admitted some time; false: it never could. */
  wait(item: T): boolean {
    if (item.data.byteLength > this.#limits.bytes) return false;
    this.#late.add(item);
    return true;
  }

  enter({ data }: T): void {
    this.#size++;
    this.#bytes += data.byteLength;
  }

  leave({ data }: T): void {
    this.#size--;
    this.#bytes -= data.byteLength;
    for (let late = this.#late.oldest; late !== undefined && this.#fits(late); late = this.#late.oldest) {
      this.#late.take();
      this.#admit(late);
    }
    this.#tellRoom();
  }

  /** Resolves when there is some room; once there was none, when half of it is free again. At once when it is closed. */
  async ready(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#isShort || this.#isFull) await new Promise<void>((resume) => this.#whenRoom.push(resume));
  }

  /** Those that wait will not be admitted any more, and whoever waits for room is let go. */
  close(): T[] {
    this.#isClosed = true;
    for (const resume of this.#whenRoom.splice(0)) resume();
    return this.#late.takeAll();
  }

  get #isFull(): boolean {
    return this.size >= this.#limits.messages || this.#bytes >= this.#limits.bytes;
  }

  #fits({ data }: T): boolean {
    return this.#size < this.#limits.messages && this.#bytes + data.byteLength <= this.#limits.bytes;
  }

  /** Once half of it is free. Those that waited go in their order; they may fill the buffer again, and then the rest waits on. */
  #tellRoom(): void {
    const { messages, bytes } = this.#limits;
    if (this.size > messages / 2 || this.#bytes > bytes / 2) return;
    this.#isShort = false;
    for (const resume of this.#whenRoom.splice(0, Math.ceil(messages / 2))) resume();
  }
}
