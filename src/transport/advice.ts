// Listens to the server's notes that a message was delivered too often, so that none dies in silence.
//
// Busbar quarantines such a message itself, when it comes. But where each process vanishes with it, the server gives it up
// first, and says so in a note: the notes are kept in a stream, and whoever reads one stores the letter, then removes the note.
import type { Clock, Timer } from '../shared/clock.js';
import { withStableId } from '../shared/letter-id.js';
import type { LetterHeader } from '../shared/logging-task.js';
import type { EncodedMessage } from '../shared/message.js';
import { ErrorCategory } from '../shared/report.js';
import type { Connection } from './connection.js';
import type { Kept } from './connection-words.js';
import type { DeadLetters } from './dead-letters.js';
import type { Names } from './subjects.js';
import { decodeMessage, isOpening, rawMessage } from './wire.js';

export interface AdviceParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly names: Names;
  readonly letters: DeadLetters;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}

/** What the letter says of a subscription whose process is gone; kept beside the lease by its first process. */
export interface Subscribed {
  readonly pattern: string;
  readonly subscriberId: string;
}

const LOOK_MS = 5000;

interface Note {
  readonly consumer: string;
  readonly sequence: number;
  readonly deliveries: number;
}

/** Runs on the main thread. */
export class Advice {
  readonly #parts: AdviceParts;
  readonly #timer: Timer;
  #looking: Promise<void> | undefined;

  constructor(parts: AdviceParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(LOOK_MS, () => void this.look());
  }

  /** Works off all notes. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((thrown) => {
        if (this.#parts.connection.isUp) this.#parts.report(thrown, { stream: this.#parts.names.adviceStream });
      })
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }

  async close(): Promise<void> {
    this.#timer.cancel();
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { connection, names } = this.#parts;
    if (!connection.isUp) return;
    for (;;) {
      const kept = await connection.first(names.adviceStream);
      if (kept === null) return;
      const note = noteOf(kept);
      if (note !== undefined) await this.#keepLetter(note);
      await connection.remove(names.adviceStream, kept.sequence);
    }
  }

  /** Stored before the note is removed; the same note makes the same letter. */
  async #keepLetter({ consumer, sequence, deliveries }: Note): Promise<void> {
    const { connection, names, letters, clock } = this.#parts;
    const kept = await connection.read(names.stream, { seq: sequence });
    // Gone: another one has settled it meanwhile.
    if (kept === null || isOpening(kept.data)) return;
    const topic = names.topicOf(kept.subject);
    const message = readable(topic, kept, `${names.stream}-${sequence}`, clock.now());
    const described = await connection.read(names.leaseStream, {
      last_by_subj: names.description(groupOfConsumer(consumer)),
    });
    const subscribed = subscribedOf(described, topic, consumer);
    const header = letterOf(message, subscribed, deliveries, `${consumer}-${sequence}`, clock.now() / 1000);
    await new Promise<void>((stored) => letters.letter(withStableId(header), message.bytes, stored));
  }
}

function groupOfConsumer(consumer: string): string {
  return consumer.slice(0, consumer.lastIndexOf('-'));
}

function readable(topic: string, kept: Kept, id: string, now: number): EncodedMessage {
  try {
    return decodeMessage(topic, kept.data);
  } catch {
    return rawMessage(topic, kept.data, id, now);
  }
}

function subscribedOf(kept: Kept | null, topic: string, consumer: string): Subscribed {
  try {
    const { pattern, subscriberId } = JSON.parse(Buffer.from(kept?.data ?? []).toString());
    if (typeof pattern === 'string' && typeof subscriberId === 'string') return { pattern, subscriberId };
  } catch {
    // A consumer that busbar did not make.
  }
  return { pattern: topic, subscriberId: consumer };
}

function letterOf(
  message: EncodedMessage,
  { pattern, subscriberId }: Subscribed,
  deliveries: number,
  errorId: string,
  now: number,
): LetterHeader {
  const { id, topic, key, priority, headers, publishedAt, codec } = message;
  const category = ErrorCategory.CONNECTION_ERROR;
  const signature = 'vanished';
  return {
    error_id: errorId,
    timestamp: now,
    message: { id, topic, key, priority, headers, published_at: publishedAt / 1000 },
    payload_codec: codec,
    error_category: category,
    retry_count: deliveries - 1,
    reason: 'poison',
    signature,
    topic,
    subscriber_id: subscriberId,
    pattern,
    priority,
    key,
    headers,
    started: deliveries,
    failed: 0,
    history: [{ category, signature, count: deliveries, first: now, last: now }],
    error: {
      name: 'DeliveredTooOften',
      message: `the message was delivered ${deliveries} times, and each process vanished with it`,
      code: 'BUSBAR_POISON',
    },
  };
}

function noteOf(kept: Kept): Note | undefined {
  try {
    const { consumer, stream_seq, deliveries } = JSON.parse(Buffer.from(kept.data).toString());
    if (typeof consumer !== 'string' || !Number.isSafeInteger(stream_seq)) return undefined;
    return { consumer, sequence: stream_seq, deliveries: Number.isSafeInteger(deliveries) ? deliveries : 0 };
  } catch {
    return undefined;
  }
}
