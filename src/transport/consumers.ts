// The consumer of one partition of a subscription: made unless it is there, and begun when it was made.
import type { Connection } from './connection.js';
import { NANOSECONDS } from './nanoseconds.js';
import { patiently } from './patience.js';
import { compare } from './streams.js';
import { OPENING } from './wire.js';

export interface ConsumerParts {
  readonly connection: Pick<Connection, 'ensureConsumer' | 'write'>;
  readonly stream: string;
  readonly consumer: string;
  /** What it is for: a subject, or a pattern of subjects. */
  readonly subject: string;
  /** How long the server waits for an acknowledgement, in milliseconds. */
  readonly ackWaitMs: number;
  readonly stopping: AbortSignal;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}

/** @throws BUSBAR_TRANSPORT_SETTINGS, BUSBAR_TRANSPORT_CONNECTION, BUSBAR_TRANSPORT_PERMISSION, BUSBAR_NOT_RUNNING */
export async function prepareConsumer(parts: ConsumerParts): Promise<void> {
  const { connection, stream, consumer, stopping } = parts;
  const asked = {
    filter_subject: parts.subject,
    ack_wait: parts.ackWaitMs * NANOSECONDS,
    // Busbar counts itself: the server would count orderly stops, too, and give a message up in silence.
    max_deliver: -1,
    // What is on its way is limited by what is asked for.
    max_ack_pending: -1,
  };
  let attempts = 0;
  const ensure = (): ReturnType<Connection['ensureConsumer']> => {
    attempts++;
    return connection.ensureConsumer(stream, consumer, asked);
  };
  const { settings, isNew } = await patiently(`preparing consumer ${consumer}`, ensure, stopping);
  compare(`consumer ${consumer}`, asked, settings);
  // What was not answered may have been done.
  if (isNew || attempts > 1) await begin(parts);
}

/**
 * Gives a new consumer a message that whoever holds its partition acknowledges at once. nats-server 2.9 that was killed takes a
 * consumer that has never acknowledged anything for one that needs nothing, and removes its messages from the stream.
 */
async function begin({ connection, subject: pattern, report }: ConsumerParts): Promise<void> {
  const subject = pattern.replace(/[*>]/g, '_');
  // A full stream takes none, and the subscription is wanted all the more.
  await connection.write(subject, OPENING).catch((thrown) => report(thrown, { subject }));
}
