// Keeps on this machine what a transport's servers never took: messages that were published, and dead letters.
import type { BusEmitter } from './events.js';
import type { FailureNotes } from './failure-notes.js';
import type { Logging } from './observe/logging.js';
import type { LetterHeader } from './shared/logging-task.js';
import type { EncodedMessage } from './shared/message.js';

export interface KeptHereParts {
  readonly notes: FailureNotes;
  readonly events: BusEmitter;
  /** Null: error handling is off, and nothing is kept. */
  readonly logging: Logging | null;
}

/** Belongs to one bus. Runs on the main thread. */
export class KeptHere {
  readonly #parts: KeptHereParts;

  constructor(parts: KeptHereParts) {
    this.#parts = parts;
  }

  /** False: error handling is off. */
  get isOn(): boolean {
    return this.#parts.logging !== null;
  }

  /** As a letter of no subscription. Resolves once it is on the disk, or cannot be. */
  async message(message: EncodedMessage, problem: unknown): Promise<void> {
    const { notes, events, logging } = this.#parts;
    if (logging === null) return;
    const header = notes.unpublished(message, problem);
    await this.letter(header, message.bytes);
    const { id, topic } = message;
    events.emit('deadLetter', { subscriberId: header.subscriber_id, topic, id, reason: header.reason });
  }

  /** Resolves once it is on the disk, or cannot be. */
  async letter(header: LetterHeader, payload: Uint8Array): Promise<void> {
    const { logging } = this.#parts;
    if (logging !== null) await new Promise<unknown>((kept) => logging.letter(header, payload, kept));
  }
}
