// Hears of messages that the server gives up by itself: busbar lets it give up none, but somebody may have changed a consumer.
import { BusbarError } from '../shared/errors.js';
import { asBuffer } from '../shared/views.js';
import type { Connection } from './connection.js';
import type { Listening } from './connection-words.js';
import { isConsumerOfGroup } from './subjects.js';
import { settingsError } from './transport-errors.js';

/** What the server tells; other programs may send there, too. */
interface Advisory {
  readonly consumer?: unknown;
  readonly stream_seq?: unknown;
  readonly deliveries?: unknown;
}

/**
 * Such a message stays in the stream, and comes to nobody until its consumer has no limit again and its partition another holder.
 *
 * @param report must not throw
 */
export function hearOfGivenUp(connection: Connection, stream: string, report: (problem: Error) => void): Listening {
  return connection.listen(subjectOf(stream), ({ data }) => {
    const { consumer, stream_seq: sequence, deliveries } = advisoryOf(data);
    if (typeof consumer !== 'string' || !Number.isSafeInteger(sequence) || !Number.isSafeInteger(deliveries)) return;
    // Other programs may read the stream with whatever settings.
    if (!isConsumerOfGroup(consumer)) return;
    const what = `consumer ${consumer.slice(0, 128)} has other settings: its max_deliver was changed, asked for was none`;
    report(settingsError(`${what}; the server has given up message ${sequence} after ${deliveries} deliveries`));
  });
}

/** The servers refuse something: if it is only to hear of this, the same error with words that say so. */
export function orNotHeard(error: BusbarError, stream: string): BusbarError {
  const { operation, subject } = (error.cause ?? {}) as { operation?: unknown; subject?: unknown };
  if (operation !== 'subscription' || subject !== subjectOf(stream)) return error;
  const what = `this user may not subscribe to ${subject}: messages that the server gives up by itself are not reported`;
  return new BusbarError(error.code, `${what}; nothing else is missing`, { cause: error.cause });
}

function subjectOf(stream: string): string {
  return `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream}.*`;
}

function advisoryOf(data: Uint8Array): Advisory {
  try {
    const advisory: unknown = JSON.parse(asBuffer(data).toString());
    return typeof advisory === 'object' && advisory !== null ? advisory : {};
  } catch {
    return {};
  }
}
