// The connection to the NATS servers: with client.ts, which loads it, the only file that knows their client library.
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection, Status } from '@nats-io/transport-node';
import { systemClock } from '../shared/clock.js';
import { within } from '../shared/within.js';
import { Answers } from './answers.js';
import { type Client, connect, type Header, headersOf, Inboxes, keptOf, loadClient, publishToAll } from './client.js';
import type {
  ConnectionEvents,
  ConnectionOptions,
  ConsumerState,
  Incoming,
  Kept,
  Listening,
  Settings,
  StreamState,
  Which,
} from './connection-words.js';
import { patiently } from './patience.js';
import { Soon } from './soon.js';
import { isNotFound, isWrongSequence, transportError, withoutUser, writeError } from './transport-errors.js';
import { untilStop } from './until-stop.js';
import { visitAll } from './visit.js';

const REQUEST_TIMEOUT_MS = 3000;
const GOODBYE_MS = 500;

/** Runs on the main thread. */
export class Connection {
  readonly #library: Client;
  readonly #client: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #publisher: JetStreamClient;
  readonly #inboxes: Inboxes;
  #isUp = true;
  #isClosing = false;
  readonly #answers = new Answers();
  readonly #soon = new Soon((subjects, text) => {
    if (this.#isUp && !this.#isClosing) publishToAll(this.#client, subjects, text);
  });

  private constructor(library: Client, client: NatsConnection, manager: JetStreamManager) {
    this.#library = library;
    this.#client = client;
    this.#inboxes = new Inboxes(client);
    this.#manager = manager;
    this.#publisher = library.jetstream(client, { timeout: REQUEST_TIMEOUT_MS });
  }

  /** @throws BUSBAR_PACKAGE, BUSBAR_TRANSPORT_CONNECTION, BUSBAR_TRANSPORT_PERMISSION, BUSBAR_TRANSPORT_SETTINGS, BUSBAR_NOT_RUNNING */
  static async open(options: ConnectionOptions, events: ConnectionEvents): Promise<Connection> {
    const library = await loadClient();
    const { servers, stopping } = options;
    const doing = `connecting to ${servers.map(withoutUser).join(', ')}`;
    const attempts = { count: 0 };
    let client: NatsConnection | undefined;
    try {
      const opened = await untilStop(stopping, doing, connect(library, options, attempts), (late) => void late.close());
      client = opened;
      const manager = await patiently(
        'looking for JetStream',
        () => library.jetstreamManager(opened, { timeout: REQUEST_TIMEOUT_MS }),
        stopping,
      );
      const connection = new Connection(library, client, manager);
      void connection.#watch(events, attempts);
      return connection;
    } catch (thrown) {
      await client?.close();
      throw transportError(doing, thrown);
    }
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The largest message that the server takes, in bytes. */
  get largestMessage(): number {
    return this.#client.info?.max_payload ?? 1024 * 1024;
  }

  /** A subject that nobody else listens to; tokens may follow. */
  inbox(): string {
    return `_INBOX.${crypto.randomUUID()}`;
  }

  /** Sends without waiting for anything. False: there is no connection, and nothing was sent. */
  send(subject: string, data?: Uint8Array | string, reply?: string, header?: Header): boolean {
    if (!this.#isUp || this.#isClosing) return false;
    if (header !== undefined)
      this.#client.publish(subject, data, { reply: reply ?? '', headers: headersOf(this.#library, header) });
    else if (reply !== undefined) this.#client.publish(subject, data, { reply });
    else this.#client.publish(subject, data);
    return true;
  }

  /** As `send`, but a moment later, together with others. @param text in ASCII */
  sendSoon(subject: string, text: string): void {
    this.#soon.add(subject, text);
  }

  /** @param onMessage must not throw */
  listen(subject: string, onMessage: (message: Incoming) => void): Listening {
    return this.#inboxes.listen(subject, onMessage, () => this.#isUp);
  }

  /** Makes the stream unless it is there, and returns its settings. */
  async ensureStream(settings: Settings & { readonly name: string }): Promise<Settings> {
    const { name } = settings;
    const found = await this.#find(`looking for stream ${name}`, () => this.#manager.streams.info(name));
    if (found !== null) return found.config as unknown as Settings;
    const made = await this.#ask(`making stream ${name}`, () =>
      this.#manager.streams.add(settings as Parameters<JetStreamManager['streams']['add']>[0]),
    );
    return made.config as unknown as Settings;
  }

  /** Gives a stream that has no limit in bytes this one, unless it holds more. */
  async limitBytes(name: string, max_bytes: number): Promise<void> {
    await this.#ask(`limiting stream ${name}`, async () => {
      const { streams } = this.#manager;
      if ((await streams.info(name)).state.bytes <= max_bytes) await streams.update(name, { max_bytes });
    });
  }

  /** Makes the durable pull consumer unless it is there, and returns its settings, and whether it was made now. */
  async ensureConsumer(
    stream: string,
    name: string,
    settings: Settings,
  ): Promise<{ readonly settings: Settings; readonly isNew: boolean }> {
    const found = await this.#find(`looking for consumer ${name}`, () => this.#manager.consumers.info(stream, name));
    if (found !== null) return { settings: found.config as unknown as Settings, isNew: false };
    const made = await this.#ask(`making consumer ${name}`, () =>
      this.#manager.consumers.add(stream, {
        durable_name: name,
        ack_policy: this.#library.AckPolicy.Explicit,
        deliver_policy: this.#library.DeliverPolicy.New,
        ...settings,
      }),
    );
    return { settings: made.config as unknown as Settings, isNew: true };
  }

  async consumerState(stream: string, name: string): Promise<ConsumerState> {
    const { num_ack_pending, num_waiting, num_pending, delivered, ack_floor } = await this.#ask(
      `looking at consumer ${name}`,
      () => this.#manager.consumers.info(stream, name),
    );
    return {
      unacknowledged: num_ack_pending,
      requests: num_waiting,
      undelivered: num_pending,
      deliveredUpTo: delivered.stream_seq,
      settledUpTo: ack_floor.stream_seq,
      deliveries: delivered.consumer_seq,
    };
  }

  /** As `send`, and waits for the answer. */
  async ask(subject: string, data: string): Promise<void> {
    await this.#ask(`asking ${subject}`, () => this.#client.request(subject, data, { timeout: REQUEST_TIMEOUT_MS }));
  }

  /** The last message of a subject, that of a sequence, or the first of a subject from there on; null: there is none. */
  async read(stream: string, which: Which): Promise<Kept | null> {
    const found = await this.#find(`reading from ${stream}`, () => this.#manager.streams.getMessage(stream, which));
    return found === null ? null : keptOf(found, found.header);
  }

  /** @param withGone makes `gone` more than empty: it may be long */
  async streamState(stream: string, withGone: boolean): Promise<StreamState> {
    const options = { deleted_details: withGone };
    const { state } = await this.#ask(`looking at ${stream}`, () => this.#manager.streams.info(stream, options));
    const { messages: count, first_seq: first, num_deleted: goneCount = 0, deleted: gone } = state;
    return { count, first, goneCount, gone: gone ?? [] };
  }

  /**
   * Writes one message, and waits until it is stored.
   *
   * @param expected the sequence that must be the last of this subject; 0: there must be none
   * @returns its sequence, or null: another one was the last
   */
  async write(
    subject: string,
    data: Uint8Array | string,
    { expected, header = [] }: { expected?: number; header?: Header } = {},
  ): Promise<number | null> {
    // Whoever reads what is written here, such as a lease that is given back, counts on what was sent before.
    this.#soon.sendAll();
    try {
      const publication = this.#publisher.publish(subject, data, {
        headers: headersOf(this.#library, header),
        timeout: REQUEST_TIMEOUT_MS,
        ...(expected === undefined ? {} : { expect: { lastSubjectSequence: expected } }),
      });
      return (await this.#answers.of(publication)).seq;
    } catch (thrown) {
      if (isWrongSequence(thrown)) return null;
      throw writeError(`writing to ${subject}`, thrown);
    }
  }

  /** Removes one message. False: it was gone. */
  async remove(stream: string, sequence: number): Promise<boolean> {
    const { streams } = this.#manager;
    return (await this.#find(`removing from ${stream}`, () => streams.deleteMessage(stream, sequence))) === true;
  }

  /** Removes all messages; returns how many. */
  async purge(stream: string): Promise<number> {
    return (await this.#ask(`emptying ${stream}`, () => this.#manager.streams.purge(stream))).purged;
  }

  /** Visits all messages of a stream, in order, without their payloads. */
  async scan(stream: string, visit: (message: Kept) => void): Promise<void> {
    await this.#ask(`reading ${stream}`, async () => {
      const { state } = await this.#manager.streams.info(stream);
      if (state.messages === 0) return;
      const consumer = await this.#library.jetstream(this.#client).consumers.get(stream, { headers_only: true });
      const messages = await consumer.consume({ max_messages: 1000 });
      const left = async (): Promise<number> => (await consumer.info()).num_pending;
      await visitAll(messages, left, (message) => visit(keptOf(message, message.headers)));
    });
  }

  /** Disconnects. What was sent goes out first, if there is a connection, and within this time, in milliseconds. */
  async close(goodbyeMs = GOODBYE_MS): Promise<void> {
    this.#soon.sendAll();
    if (this.#isUp)
      await within(systemClock, goodbyeMs, () => this.#client.flush().catch(() => undefined), undefined, true);
    this.#isClosing = true;
    await this.#client.close();
  }

  async #watch(events: ConnectionEvents, attempts: { count: number }): Promise<void> {
    for await (const status of this.#client.status()) {
      if (this.#isClosing) return;
      try {
        this.#heed(status, events, attempts);
      } catch (thrown) {
        // Else nobody would hear of the connection any more.
        events.error(transportError(`after the connection's ${status.type}`, thrown));
      }
    }
  }

  #heed(status: Status, events: ConnectionEvents, attempts: { count: number }): void {
    if (status.type === 'disconnect' && this.#isUp) {
      this.#isUp = false;
      this.#soon.sendAll(); // Forgets them: the next connection may lead to servers that mean other messages.
      this.#answers.giveUp();
      events.down();
    } else if (status.type === 'reconnect') {
      this.#isUp = true;
      attempts.count = 0;
      events.up();
    } else if (status.type === 'reconnecting') {
      attempts.count++;
    } else if (status.type === 'error') {
      events.error(transportError('the server refuses', status.error));
    }
  }

  async #ask<T>(doing: string, request: () => Promise<T>): Promise<T> {
    try {
      return await this.#answers.of(request());
    } catch (thrown) {
      throw transportError(doing, thrown);
    }
  }

  /** Null: the server knows no such thing. */
  async #find<T>(doing: string, request: () => Promise<T>): Promise<T | null> {
    try {
      return await this.#answers.of(request());
    } catch (thrown) {
      if (isNotFound(thrown)) return null;
      throw transportError(doing, thrown);
    }
  }
}
