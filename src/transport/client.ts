// Loads the NATS client library: an optional peer, which those who stay in memory do not have.
import type * as JetStream from '@nats-io/jetstream';
import type * as Nats from '@nats-io/transport-node';
import { BusbarError } from '../shared/errors.js';
import type { ConnectionOptions, Incoming, Kept, Listening } from './connection-words.js';
import { type ClientParser, Deliveries, type Take } from './deliveries.js';

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

/** What the client does of itself; not part of its documented surface, so that any of it may be missing. */
interface Protocol {
  sendCommand(text: string): void;
  /** A new one for each socket. */
  parser: ClientParser;
}

function protocolOf(client: Nats.NatsConnection): Partial<Protocol> | undefined {
  return (client as { protocol?: Partial<Protocol> }).protocol;
}

/**
 * As `publish` of the text to each, for a fraction of what that costs: hundreds of acknowledgements are checked, encoded and joined one
 * by one there, as one text here.
 *
 * @param text in ASCII
 */
export function publishToAll(client: Nats.NatsConnection, subjects: readonly string[], text: string): void {
  const protocol = protocolOf(client);
  if (typeof protocol?.sendCommand !== 'function') {
    for (const subject of subjects) client.publish(subject, text);
    return;
  }
  const end = ` ${text.length}\r\n${text}\r\n`;
  protocol.sendCommand(`PUB ${subjects.join(`${end}PUB `)}${end}`);
}

/** What is listened to on one connection. Runs on the main thread. */
export class Inboxes {
  readonly #client: Nats.NatsConnection;
  readonly #takers = new Map<number, Take>();

  constructor(client: Nats.NatsConnection) {
    this.#client = client;
  }

  /** @param isUp there is a connection, and something may be on its way */
  listen(subject: string, onMessage: (message: Incoming) => void, isUp: () => boolean): Listening {
    const subscription = this.#client.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) onMessage(message);
      },
    });
    const number = subscription.getID();
    this.#takers.set(number, onMessage);
    this.#readFirst();
    return {
      drain: async () => {
        if (isUp()) await subscription.drain().catch(() => subscription.unsubscribe());
        else subscription.unsubscribe();
        this.#takers.delete(number);
      },
    };
  }

  /** Without that the client reads all, and all comes by its callbacks. */
  #readFirst(): void {
    const protocol = protocolOf(this.#client);
    const parser = protocol?.parser;
    const isKnown = typeof parser?.state === 'number' && typeof parser.parse === 'function';
    if (protocol === undefined || !isKnown || parser instanceof Deliveries) return;
    protocol.parser = new Deliveries(parser, this.#takers);
  }
}

type Found = Pick<JetStream.StoredMsg, 'seq' | 'subject' | 'data'>;

export function keptOf({ seq: sequence, subject, data }: Found, lines: Nats.MsgHdrs | undefined): Kept {
  return { sequence, subject, data, header: (name) => lines?.get(name) ?? '' };
}
