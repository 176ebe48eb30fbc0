// The JetStream transport: what `busbar/jetstream` exports. Carries a bus's messages through NATS servers.
import { type CircuitState, SharedBreaker } from '../shared/breaker.js';
import { BusbarError } from '../shared/errors.js';
import type { TransportHealth } from '../shared/health-status.js';
import type { EncodedMessage } from '../shared/message.js';
import { within } from '../shared/within.js';
import { Connection } from './connection.js';
import type { Listening } from './connection-words.js';
import { prepareConsumer } from './consumers.js';
import { DeadLetters } from './dead-letters.js';
import { hearOfGivenUp, orNotHeard } from './given-up-by-server.js';
import { type JetStreamOptions, type ResolvedJetStreamOptions, resolveJetStreamOptions } from './jetstream-options.js';
import { Outbox } from './outbox.js';
import { ID_HEADER } from './outbox-entry.js';
import type { Outgoing } from './outgoing.js';
import { Partitions } from './partitions.js';
import { patiently } from './patience.js';
import { ensureStreams } from './streams.js';
import { groupOf, headerValue, Names, partitionOf } from './subjects.js';
import { tooLargeForBuffer, tooLargeForServer } from './too-large.js';
import type { Inflow, Intake, OnStored, Origin, Transport, TransportHost, TransportMaker } from './transport.js';
import { withoutUser } from './transport-errors.js';
import { decodeMessage, encodeMessage, markSentAgain } from './wire.js';

export type { JetStreamOptions } from './jetstream-options.js';
export type { TransportMaker } from './transport.js';

/** What the breaker of the connection is called in health and events. */
const NAME = 'jetstream';
const CONNECT_TIMEOUT_MS = 5000;
/** How long the last answers, and then the last words, may be on their way when the bus stops, in milliseconds; and when it is late. */
const LAST_WORDS_MS = 500;
const LATE_WORDS_MS = 100;

/**
 * Carries the messages of a bus through NATS JetStream: they outlive the process, and processes with the same
 * subscriberId share a subscription.
 *
 * @throws BUSBAR_INVALID_OPTION
 */
export function jetstream(options: JetStreamOptions = {}): TransportMaker {
  const resolved = resolveJetStreamOptions(options);
  return { name: NAME, start: (host) => JetStream.start(resolved, host) };
}

/** Runs on the main thread. */
class JetStream implements Transport {
  readonly letters: DeadLetters;
  readonly #options: ResolvedJetStreamOptions;
  readonly #host: TransportHost;
  readonly #names: Names;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #advisories: Listening;
  readonly #breaker: Breaker;
  readonly #subscriptions = new Set<Partitions>();
  #nextPartition = 0;
  #refused = 0;
  #disconnects = 0;

  private constructor(
    options: ResolvedJetStreamOptions,
    host: TransportHost,
    names: Names,
    connection: Connection,
    breaker: Breaker,
  ) {
    this.#options = options;
    this.#host = host;
    this.#names = names;
    this.#connection = connection;
    this.#breaker = breaker;
    const { clock } = host;
    const report = (thrown: unknown, context: Record<string, unknown>): void => host.report(NAME, thrown, context);
    const limits = { messages: options.bufferSize, bytes: options.bufferBytes };
    const keep = ({ subject, data }: Outgoing, problem: Error): Promise<void> =>
      host.keepMessage(decodeMessage(names.topicOf(subject), data, 0), problem);
    this.#advisories = hearOfGivenUp(connection, names.stream, (problem) => host.report(NAME, problem));
    this.#outbox = new Outbox({ connection, clock, limits, keep, report });
    this.letters = new DeadLetters({
      connection,
      clock,
      names,
      report,
      keep: (...letter) => host.keepLetter(...letter),
    });
  }

  static async start(options: ResolvedJetStreamOptions, host: TransportHost): Promise<JetStream> {
    const names = new Names(options.stream);
    const breaker = new Breaker(host);
    let transport: JetStream | undefined;
    const connection = await Connection.open(
      {
        servers: options.servers,
        credentials: options.connection,
        name: `busbar ${host.instance}`,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        pingMs: options.pingMs,
        maxReconnectMs: options.maxReconnectMs,
        stopping: host.stopping,
      },
      {
        down: () => transport?.lost(),
        up: () => transport?.found(),
        error: (error) => transport?.complained(error),
      },
    );
    try {
      const prepare = (): Promise<void> => ensureStreams(connection, names, options);
      await patiently(`preparing stream ${names.stream}`, prepare, host.stopping);
    } catch (thrown) {
      await connection.close();
      throw thrown;
    }
    transport = new JetStream(options, host, names, connection, breaker);
    return transport;
  }

  get unstored(): number {
    return this.#outbox.size;
  }

  publish(message: EncodedMessage, origin: Origin, onStored?: OnStored): boolean {
    const isFromHandler = origin === 'handler';
    // What a handler publishes is stored before its input is settled, whenever that is.
    if (!isFromHandler && this.#options.whenOffline === 'refuse' && !this.#connection.isUp) return this.#refuse();
    const { partitions, bufferBytes } = this.#options;
    const { key, topic, id, headers } = message;
    const partition = key === null ? this.#nextPartition++ % partitions : partitionOf(key, partitions);
    const data = encodeMessage(message);
    if (origin === 'letter') markSentAgain(data);
    // An id is a publisher's own, and two topics may have the same.
    const header: [string, string][] = [[ID_HEADER, headerValue(`${topic} ${id}`)]];
    // Other tools that read the stream follow a trace by it.
    const trace = headers?.['traceparent'];
    if (trace !== undefined) header.push(['traceparent', headerValue(trace)]);
    const outgoing = { subject: this.#names.message(partition, topic), data, header, key, isFromHandler, onStored };
    const problem =
      tooLargeForServer(data, this.#connection.largestMessage) ??
      (isFromHandler ? undefined : tooLargeForBuffer(data, bufferBytes));
    if (problem === undefined) return this.#outbox.add(outgoing);
    if (origin === 'caller' && onStored === undefined && !this.#host.isKeeping) {
      this.#host.report(NAME, problem, { subject: outgoing.subject });
      return this.#refuse();
    }
    // Taken, and kept: whoever is told no would wait until it is ready, and try for ever.
    return this.#outbox.refuse(outgoing, problem);
  }

  ready(): Promise<void> {
    return this.#outbox.ready();
  }

  async subscribe(intake: Intake): Promise<Inflow> {
    const { partitions, leaseMs, ackWaitMs, maxDeliver } = this.#options;
    const { pattern, subscriberId } = intake;
    const group = groupOf(pattern, subscriberId);
    const connection = this.#connection;
    const names = this.#names;
    const { clock, instance, stopping } = this.#host;
    const report = (thrown: unknown, context: Record<string, unknown>): void =>
      this.#host.report(NAME, thrown, context);
    const consumers = Array.from({ length: partitions }, (_, index) => {
      const [consumer, subject] = [`${group}-${index}`, names.message(index, pattern)];
      return prepareConsumer({ connection, stream: names.stream, consumer, subject, ackWaitMs, stopping, report });
    });
    await Promise.all(consumers);
    const subscription = new Partitions({
      ...{ connection, clock, names, instance, intake, group, partitions, leaseMs, ackWaitMs, maxDeliver, report },
      areHandlersStored: () => this.#outbox.areHandlersStored,
      afterHandlers: (then) => this.#outbox.afterHandlers(then),
      // Not what others published: a stream that is full takes nothing before something of it is handled.
      hasRoom: () => !this.#outbox.isFullOfHandlers,
    });
    this.#subscriptions.add(subscription);
    await subscription.look();
    return {
      pause: () => subscription.pause(),
      resume: () => subscription.resume(),
      isDry: () => subscription.isDry(),
      close: async () => {
        await subscription.close();
        // Not before: while it settles what has started, it has to hear of a lost connection.
        this.#subscriptions.delete(subscription);
      },
    };
  }

  health(): TransportHealth {
    return {
      name: NAME,
      connected: this.#connection.isUp,
      breaker: this.#breaker.state,
      disconnects: this.#disconnects,
      unstored: this.#outbox.size,
      refused: this.#refused + this.#outbox.refused,
      unpublished: this.#outbox.kept,
      unstoredLetters: this.letters.waiting,
      ...this.letters.count,
    };
  }

  async stop(timeoutMs: number): Promise<void> {
    const leaving = (): Promise<unknown> =>
      Promise.all([this.#leave().catch(() => undefined), this.#advisories.drain()]);
    const hasLeft = await within(this.#host.clock, timeoutMs, () => leaving().then(() => true), false, true);
    // Servers that were silent for so long say nothing now.
    const lastWordsMs = hasLeft ? LAST_WORDS_MS : LATE_WORDS_MS;
    await this.letters.close();
    await this.#outbox.close(lastWordsMs);
    await this.#connection.close(lastWordsMs);
  }

  async #leave(): Promise<void> {
    // Side by side: what the servers cannot store now keeps no partition but that of its handler.
    const closed = [...this.#subscriptions].map((subscription) => subscription.close());
    await Promise.all([this.#outbox.empty(), this.letters.empty(), ...closed]);
  }

  #refuse(): false {
    this.#refused++;
    return false;
  }

  lost(): void {
    for (const subscription of this.#subscriptions) subscription.lost();
    this.#disconnects++;
    this.#breaker.lost();
    const error = new BusbarError('BUSBAR_TRANSPORT_CONNECTION', 'the connection to the servers was lost');
    this.#host.report(NAME, error, { servers: this.#options.servers.map(withoutUser), unstored: this.#outbox.size });
  }

  found(): void {
    this.#breaker.found();
    this.#outbox.reconnected();
    this.letters.reconnected();
    for (const subscription of this.#subscriptions) subscription.reconnected();
  }

  complained(error: BusbarError): void {
    this.#host.report(NAME, orNotHeard(error, this.#names.stream));
    const { operation, subject } = (error.cause ?? {}) as { operation?: unknown; subject?: unknown };
    if (operation === 'publish' && typeof subject === 'string') this.#outbox.forbidden(subject, error);
  }
}

/** Open while there is no connection. */
class Breaker {
  readonly #host: TransportHost;
  readonly #breaker: SharedBreaker;

  constructor(host: TransportHost) {
    this.#host = host;
    this.#breaker = new SharedBreaker(SharedBreaker.allocate({ failureThreshold: 1 }), host.clock);
  }

  get state(): CircuitState {
    return this.#breaker.state;
  }

  lost(): void {
    const previous = this.state;
    const permit = this.#breaker.enter();
    if (permit !== undefined) this.#breaker.failure(permit);
    this.#announce(previous);
  }

  found(): void {
    const previous = this.state;
    this.#breaker.reset();
    this.#announce(previous);
  }

  #announce(previous: CircuitState): void {
    if (this.state !== previous) this.#host.breakerChanged(NAME, this.state, previous);
  }
}
