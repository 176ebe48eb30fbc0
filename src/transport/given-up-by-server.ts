// Hears of messages that the server gives up by itself: busbar lets it give up none, but somebody may have changed a consumer.
import { asBuffer } from '../shared/views.js';
import type { Connection } from './connection.js';
import type { Listening } from './connection-words.js';
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
  return connection.listen(`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${stream}.*`, ({ data }) => {
    const { consumer, stream_seq: sequence, deliveries } = advisoryOf(data);
    if (typeof consumer !== 'string' || !Number.isSafeInteger(sequence) || !Number.isSafeInteger(deliveries)) return;
    const what = `consumer ${consumer.slice(0, 128)} has other settings: its max_deliver was changed, asked for was none`;
    report(settingsError(`${what}; the server has given up message ${sequence} after ${deliveries} deliveries`));
  });
}

function advisoryOf(data: Uint8Array): Advisory {
  try {
    const advisory: unknown = JSON.parse(asBuffer(data).toString());
    return typeof advisory === 'object' && advisory !== null ? advisory : {};
  } catch {
    return {};
  }
}
