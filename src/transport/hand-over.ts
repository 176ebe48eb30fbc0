// Hands what came of a partition to its subscription, or has it given up: it cannot be read, or was delivered too often.
import { type Brought, DeliveredTooOften, storedAt } from './delivered.js';
import type { FeedParts } from './feed-parts.js';
import type { Past } from './past.js';
import type { Arrival, Ticket } from './transport.js';
import { decodeMessage, rawMessage } from './wire.js';

/** @param topic that of the message */
export function handOver(parts: FeedParts, topic: string, brought: Brought, past: Past, ticket: Ticket): void {
  const { intake, names, maxDeliver, consumer } = parts;
  const { delivery, reply, data } = brought;
  const { vanished, started } = past;
  let arrival: Arrival;
  try {
    arrival = decodeMessage(topic, data, started);
  } catch (thrown) {
    const raw = rawMessage(topic, data, `${names.stream}-${delivery.sequence}`, storedAt(reply), started);
    intake.giveUp(raw, ticket, 'not_retryable', thrown);
    return;
  }
  if (vanished < maxDeliver) intake.take(arrival, ticket);
  else intake.giveUp(arrival, ticket, 'poison', new DeliveredTooOften(consumer, vanished));
}
