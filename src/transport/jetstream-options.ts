// The options of the JetStream transport: what they are, their defaults, and what is wrong with bad ones.
import { invalidOption } from '../shared/errors.js';
import { assertKnown, oneOf, whole } from '../shared/option-checks.js';

/** Options of `jetstream()`. All processes of one stream give the same, but for `servers`, `connection` and the buffer. */
export interface JetStreamOptions {
  /** Where the servers are, as `host:port` or URLs. Default `127.0.0.1:4222`. */
  readonly servers?: string | readonly string[];
  /**
   * Handed to the NATS client as it is: `user` and `pass`, `token`, `authenticator`, `tls`. See `ConnectionOptions` of
   * `@nats-io/transport-node`.
   */
  readonly connection?: Readonly<Record<string, unknown>>;
  /**
   * Names the stream, and everything else that is kept on the servers; letters, digits, `_` and `-`, at most 64. Default
   * `BUSBAR`. It is made unless it is there.
   */
  readonly stream?: string;
  /**
   * Into how many parts messages are divided by their key, 1 to 64. At most so many processes work for a subscription at
   * the same time. Cannot be changed once the stream is made. Default 8.
   */
  readonly partitions?: number;
  /** Servers that keep each message, 1, 3 or 5. Default 1; a cluster wants 3. */
  readonly replicas?: 1 | 3 | 5;
  /** Default `file`. With `memory` a restart of the servers loses everything. */
  readonly storage?: 'file' | 'memory';
  /** Bytes of messages that may wait in the stream; when it is full, publishing is refused. Default: no limit. */
  readonly maxBytes?: number;
  /** Messages are kept this long, in milliseconds, and then lost, handled or not. Default: as long as it takes. */
  readonly maxAgeMs?: number;
  /** A message whose id was stored for its topic within this time is not stored again, in milliseconds, 1000 or more. Default 120 000. */
  readonly duplicateWindowMs?: number;
  /** Dead letters kept; the oldest go first. Default 1 000 000. */
  readonly maxLetters?: number;
  /**
   * Bytes of dead letters kept, 1 048 576 or more; the oldest go first. The server sets so much aside, and refuses what it does
   * not have. Default 256 MiB.
   */
  readonly maxLetterBytes?: number;
  /** How long dead letters are kept, in milliseconds. Default 30 days. */
  readonly maxLetterAgeMs?: number;
  /** A process that has not been heard of for this long loses its partitions, in milliseconds, 500 or more. Default 5000. */
  readonly leaseMs?: number;
  /**
   * The server brings again what it has not heard of for this long, in milliseconds, 500 or more: processes tell it while a
   * message waits or is handled, and take over at once what a lost one had. Default 10 000.
   */
  readonly ackWaitMs?: number;
  /** Times that a message is delivered to processes that vanish with it, before it is quarantined as `poison`, 2 to 1000. Default 10. */
  readonly maxDeliver?: number;
  /** What becomes of publications while there is no connection: they wait in the buffer, or are refused. Default `buffer`. */
  readonly whenOffline?: 'buffer' | 'refuse';
  /** Messages that wait here until the server has stored them, 1 or more. Default 10 000. */
  readonly bufferSize?: number;
  /** Bytes of them. Default 64 MiB. */
  readonly bufferBytes?: number;
  /** A server that does not answer two pings in a row is lost, in milliseconds between pings, 100 or more. Default 2000. */
  readonly pingMs?: number;
  /** The longest wait between two attempts to connect again, in milliseconds, 50 or more. Default 5000. */
  readonly maxReconnectMs?: number;
}

export type ResolvedJetStreamOptions = Required<Omit<JetStreamOptions, 'servers'>> & {
  readonly servers: readonly string[];
};

const DAY_MS = 24 * 60 * 60 * 1000;
const MEBIBYTE = 1024 * 1024;
const UNLIMITED = -1;
const FOR_EVER = 0;

const DEFAULTS: Required<JetStreamOptions> = {
  servers: '127.0.0.1:4222',
  connection: {},
  stream: 'BUSBAR',
  partitions: 8,
  replicas: 1,
  storage: 'file',
  maxBytes: UNLIMITED,
  maxAgeMs: FOR_EVER,
  duplicateWindowMs: 120_000,
  maxLetters: 1_000_000,
  maxLetterBytes: 256 * MEBIBYTE,
  maxLetterAgeMs: 30 * DAY_MS,
  leaseMs: 5000,
  ackWaitMs: 10_000,
  maxDeliver: 10,
  whenOffline: 'buffer',
  bufferSize: 10_000,
  bufferBytes: 64 * MEBIBYTE,
  pingMs: 2000,
  maxReconnectMs: 5000,
};
/** What busbar sets itself. */
const OURS = [
  'servers',
  'port',
  'name',
  'timeout',
  'reconnect',
  'maxReconnectAttempts',
  'reconnectDelayHandler',
  'pingInterval',
];

/** @throws BUSBAR_INVALID_OPTION */
export function resolveJetStreamOptions(options: JetStreamOptions): ResolvedJetStreamOptions {
  if (typeof options !== 'object' || options === null) throw invalidOption('options', 'an object', options);
  assertKnown('jetstream', options, Object.keys(DEFAULTS));
  const given = { ...DEFAULTS, ...options };
  if (![1, 3, 5].includes(given.replicas)) throw invalidOption('replicas', '1, 3 or 5', given.replicas);
  return {
    servers: serversOf(given.servers),
    connection: connectionOf(given.connection),
    stream: streamOf(given.stream),
    partitions: whole('partitions', given.partitions, 1, 64),
    replicas: given.replicas,
    storage: oneOf('storage', given.storage, ['file', 'memory']),
    maxBytes: given.maxBytes === UNLIMITED ? UNLIMITED : whole('maxBytes', given.maxBytes, 1024),
    maxAgeMs: given.maxAgeMs === FOR_EVER ? FOR_EVER : whole('maxAgeMs', given.maxAgeMs, 1000),
    duplicateWindowMs: whole('duplicateWindowMs', given.duplicateWindowMs, 1000),
    maxLetters: whole('maxLetters', given.maxLetters, 1),
    maxLetterBytes: whole('maxLetterBytes', given.maxLetterBytes, MEBIBYTE),
    maxLetterAgeMs: whole('maxLetterAgeMs', given.maxLetterAgeMs, 1000),
    leaseMs: whole('leaseMs', given.leaseMs, 500),
    ackWaitMs: whole('ackWaitMs', given.ackWaitMs, 500),
    maxDeliver: whole('maxDeliver', given.maxDeliver, 2, 1000),
    whenOffline: oneOf('whenOffline', given.whenOffline, ['buffer', 'refuse']),
    bufferSize: whole('bufferSize', given.bufferSize, 1),
    bufferBytes: whole('bufferBytes', given.bufferBytes, 1),
    pingMs: whole('pingMs', given.pingMs, 100),
    maxReconnectMs: whole('maxReconnectMs', given.maxReconnectMs, 50),
  };
}

function serversOf(servers: unknown): readonly string[] {
  const list = Array.isArray(servers) ? servers : [servers];
  if (list.length > 0 && list.every((server) => typeof server === 'string' && server !== '')) return list;
  // Not the values: there may be passwords in them.
  throw invalidOption(
    'servers',
    'one or more of host:port',
    list.map((server) => typeof server),
  );
}

function streamOf(stream: unknown): string {
  if (typeof stream === 'string' && /^[\w-]{1,64}$/.test(stream)) return stream;
  throw invalidOption('stream', 'letters, digits, _ and -, at most 64', stream);
}

function connectionOf(connection: unknown): Readonly<Record<string, unknown>> {
  if (typeof connection !== 'object' || connection === null)
    throw invalidOption('connection', 'an object', typeof connection);
  const taken = Object.keys(connection).find((name) => OURS.includes(name));
  // Not the value: there are secrets among them.
  if (taken !== undefined) throw invalidOption('connection', `without ${OURS.join(', ')}`, taken);
  return { ...connection };
}
