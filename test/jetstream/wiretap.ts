// Listens in on a chaos trial: what the servers said they stored, and what was said to have been handled. Beside busbar, so that a
// message that is missing can be laid at the door of who lost it.
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { decodeMessage } from '../../src/transport/wire.js';
import type { NatsServer } from './nats-server.js';

/** What somebody said of a sequence. */
export interface Said {
  readonly word: string;
  /** Deliveries of the message so far, this one included. */
  readonly count: number;
  /** When the server stored the message that it is about, in nanoseconds since 1970; 0: who said it never saw one. */
  readonly storedAt: string;
}

/** Of a publisher's outbox: its inbox, and the place of the message there, from 0. */
const ANSWER = /^_INBOX\.[0-9a-f]{8}-[0-9a-f-]{27}\.([0-9a-z]+)$/;
const RECONNECT_MS = 50;

/**
 * One connection to each server: what passes through a server just before it is killed has gone to another one, or nowhere.
 * Nothing is heard of requests for messages: a server that knows of a listener takes a request of a dead process for alive.
 */
export class Wiretap {
  readonly #connections: readonly NatsConnection[];
  readonly #stream: string;
  /** By place in the publisher's outbox: the sequences under which the servers said they stored it. */
  readonly #stored = new Map<number, Set<number>>();
  /** By sequence. */
  readonly #said = new Map<number, Map<string, Said>>();

  private constructor(connections: readonly NatsConnection[], stream: string) {
    this.#connections = connections;
    this.#stream = stream;
    for (const connection of connections) {
      connection.subscribe('_INBOX.*.*', { callback: (_, message) => this.#answered(message) });
      connection.subscribe(`$JS.ACK.${stream}.>`, { callback: (_, message) => this.#acknowledged(message) });
    }
  }

  static async on(servers: readonly NatsServer[], stream: string): Promise<Wiretap> {
    const opening = servers.map(({ url }) =>
      connect({ servers: url, ignoreClusterUpdates: true, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_MS }),
    );
    const tap = new Wiretap(await Promise.all(opening), stream);
    await Promise.all(tap.#connections.map((connection) => connection.flush()));
    return tap;
  }

  /** The sequences under which the servers said they stored this message. @param place in the publisher's outbox, from 0 */
  sequencesOf(place: number): number[] {
    return [...(this.#stored.get(place) ?? [])];
  }

  /** The places of other messages of which the servers said the same sequence. */
  othersOf(sequence: number, place: number): number[] {
    return [...this.#stored].filter(([other, all]) => other !== place && all.has(sequence)).map(([other]) => other);
  }

  saidOf(sequence: number): Said[] {
    return [...(this.#said.get(sequence)?.values() ?? [])];
  }

  /** The id of the message that the stream has there now; undefined: it has none. */
  async idAt(sequence: number): Promise<string | undefined> {
    const { streams } = await jetstreamManager(this.#connections[0] as NatsConnection);
    const found = await streams.getMessage(this.#stream, { seq: sequence });
    return found === null ? undefined : decodeMessage(found.subject, found.data, 0).id;
  }

  /** How the stream and its consumers stand, as the servers tell it. */
  async states(): Promise<string[]> {
    const { streams, consumers } = await jetstreamManager(this.#connections[0] as NatsConnection);
    const { state } = await streams.info(this.#stream);
    const lines = [`the stream has ${state.messages} messages from ${state.first_seq} to ${state.last_seq}`];
    for await (const one of consumers.list(this.#stream)) {
      const { name, delivered, ack_floor: floor, num_ack_pending, num_pending, num_waiting, cluster } = one;
      const reached = `delivered up to ${delivered.stream_seq}, settled up to ${floor.stream_seq}`;
      const open = `${num_ack_pending} unsettled, ${num_pending} to deliver, ${num_waiting} requests`;
      lines.push(`${name} of ${cluster?.leader}: ${reached}, ${open}`);
    }
    return lines;
  }

  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
  }

  #answered({ subject, data }: Msg): void {
    const place = Number.parseInt(ANSWER.exec(subject)?.[1] ?? '', 36);
    if (!Number.isSafeInteger(place) || data.byteLength === 0) return;
    const { stream: name, seq } = JSON.parse(Buffer.from(data).toString()) as { stream?: string; seq?: number };
    if (name !== this.#stream || seq === undefined || seq === 0) return;
    const all = this.#stored.get(place) ?? new Set();
    this.#stored.set(place, all.add(seq));
  }

  /** `$JS.ACK.<stream>.<consumer>.<count>.<sequence>.<number>.<stored at>.<to come>` */
  #acknowledged({ subject, data }: Msg): void {
    const word = Buffer.from(data).toString();
    if (word === '+WPI') return;
    const [, , , , count = '', sequence = '', , storedAt = ''] = subject.split('.');
    const all = this.#said.get(Number(sequence)) ?? new Map<string, Said>();
    const said = { word, count: Number(count), storedAt };
    this.#said.set(Number(sequence), all.set(`${subject} ${word}`, said));
  }
}
