// Loads the NATS client library: an optional peer, which those who stay in memory do not have.
import type * as JetStream from '@nats-io/jetstream';
import type * as Nats from '@nats-io/transport-node';
import { BusbarError } from '../shared/errors.js';
import type { ConnectionOptions, Kept } from './connection-words.js';

export type Client = Pick<typeof Nats, 'connect' | 'headers'> &
  Pick<typeof JetStream, 'AckPolicy' | 'DeliverPolicy' | 'jetstream' | 'jetstreamManager'>;

export type Header = readonly [name: string, value: string][];

/** @throws BUSBAR_PACKAGE */
export async function loadClient(): Promise<Client> {
  try {
    const { connect, headers } = await import('@nats-io/transport-node');
    const { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } = await import('@nats-io/jetstream');
    return { connect, headers, AckPolicy, DeliverPolicy, jetstream, jetstreamManager };
  } catch (cause) {
    const what = 'busbar/jetstream needs two packages: npm install @nats-io/transport-node @nats-io/jetstream';
    throw new BusbarError('BUSBAR_PACKAGE', what, { cause });
  }
}

const FIRST_RECONNECT_MS = 50;

/** @param attempts how often it was tried to connect again since the connection was lost */
export function connect(
  library: Client,
  options: ConnectionOptions,
  attempts: { readonly count: number },
): Promise<Nats.NatsConnection> {
  return library.connect({
    ...options.credentials,
    servers: [...options.servers],
    name: options.name,
    timeout: options.connectTimeoutMs,
    pingInterval: options.pingMs,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    // Somebody may mend the account while we try.
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    reconnectDelayHandler: () =>
      Math.min(options.maxReconnectMs, FIRST_RECONNECT_MS * 2 ** attempts.count) * (0.5 + Math.random() / 2),
  });
}

export function headersOf({ headers }: Client, pairs: Header): Nats.MsgHdrs {
  const lines = headers();
  for (const [name, value] of pairs) lines.set(name, value);
  return lines;
}

/** Takes what the client would write of itself; not part of its documented surface, so that it may be missing. */
interface Commands {
  sendCommand(text: string): void;
}

/**
 * As `publish` of the text to each, for a fraction of what that costs: hundreds of acknowledgements are checked, encoded and joined one
 * by one there, as one text here.
 *
 * @param text in ASCII
 */
export function publishToAll(client: Nats.NatsConnection, subjects: readonly string[], text: string): void {
  const { protocol } = client as { protocol?: Partial<Commands> };
  if (typeof protocol?.sendCommand !== 'function') {
    for (const subject of subjects) client.publish(subject, text);
    return;
  }
  const end = ` ${text.length}\r\n${text}\r\n`;
  protocol.sendCommand(`PUB ${subjects.join(`${end}PUB `)}${end}`);
}

type Found = Pick<JetStream.StoredMsg, 'seq' | 'subject' | 'data'>;

export function keptOf({ seq: sequence, subject, data }: Found, lines: Nats.MsgHdrs | undefined): Kept {
  return { sequence, subject, data, header: (name) => lines?.get(name) ?? '' };
}
