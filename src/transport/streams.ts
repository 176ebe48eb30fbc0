// The streams that one bus needs: makes them, and refuses those that are not what was asked for.
import { BusbarError, show } from '../shared/errors.js';
import type { Connection } from './connection.js';
import type { Settings } from './connection-words.js';
import type { ResolvedJetStreamOptions } from './jetstream-options.js';
import { NANOSECONDS } from './nanoseconds.js';
import type { Names } from './subjects.js';
import { settingsError } from './transport-errors.js';

/** The version of subjects, records, leases and settings; processes of different ones do not share a stream. */
const FORMAT = 2;

/** @throws BUSBAR_TRANSPORT_SETTINGS, BUSBAR_TRANSPORT_CONNECTION, BUSBAR_TRANSPORT_PERMISSION */
export async function ensureStreams(
  connection: Connection,
  names: Names,
  options: ResolvedJetStreamOptions,
): Promise<void> {
  const {
    storage,
    replicas: num_replicas,
    maxBytes,
    maxAgeMs,
    duplicateWindowMs,
    maxLetters,
    maxLetterBytes,
    maxLetterAgeMs,
  } = options;
  const kept = { storage, num_replicas };
  await ensureStream(connection, {
    ...kept,
    name: names.stream,
    subjects: [names.messages],
    // A message goes once all subscriptions have settled it; a full stream refuses newcomers, and loses nothing.
    retention: 'interest',
    discard: 'new',
    max_bytes: maxBytes,
    max_age: maxAgeMs * NANOSECONDS,
    duplicate_window: duplicateWindowMs * NANOSECONDS,
  });
  await ensureLetterStream(connection, {
    ...kept,
    name: names.letterStream,
    subjects: [names.letters],
    retention: 'limits',
    max_msgs_per_subject: 1,
    max_msgs: maxLetters,
    max_bytes: maxLetterBytes,
    max_age: maxLetterAgeMs * NANOSECONDS,
  });
  await ensureStream(connection, {
    ...kept,
    name: names.leaseStream,
    subjects: [names.leases],
    retention: 'limits',
    max_msgs_per_subject: 1,
  });
  await agree(connection, names, options.partitions);
}

async function ensureStream(connection: Connection, asked: Settings & { readonly name: string }): Promise<void> {
  compare(`stream ${asked.name}`, asked, await connection.ensureStream(asked));
}

/** An earlier version set no limit in bytes: it is set now, where the letters are within it and the server lets this user. */
async function ensureLetterStream(
  connection: Connection,
  asked: Settings & { readonly name: string; readonly max_bytes: number },
): Promise<void> {
  const { name, max_bytes } = asked;
  const given = await connection.ensureStream(asked);
  const isLimited = !isSame(given['max_bytes'], -1);
  compare(`stream ${name}`, isLimited ? asked : { ...asked, max_bytes: -1 }, given);
  if (isLimited) return;
  try {
    await connection.limitBytes(name, max_bytes);
  } catch (thrown) {
    if (!(thrown instanceof BusbarError && thrown.code === 'BUSBAR_TRANSPORT_PERMISSION')) throw thrown;
  }
}

/** A server that does not know a setting ignores it in silence: only what comes back tells. @throws BUSBAR_TRANSPORT_SETTINGS */
export function compare(what: string, asked: Settings, given: Settings): void {
  const differences = Object.entries(asked)
    .filter(([name, value]) => !isSame(value, given[name]))
    .map(([name, value]) => `${name} is ${show(given[name])}, asked for was ${show(value)}`);
  if (differences.length > 0) throw settingsError(`${what} has other settings: ${differences.join('; ')}`);
}

/** The server leaves out what is 0, and writes "no limit" as -1 or 0. */
function isSame(asked: unknown, given: unknown): boolean {
  const plain = (value: unknown): unknown => (value === undefined || value === -1 ? 0 : value);
  return JSON.stringify(plain(asked)) === JSON.stringify(plain(given));
}

/** The number of partitions decides where a key goes: all processes must use the same, for good. */
async function agree(connection: Connection, names: Names, partitions: number): Promise<void> {
  const asked = JSON.stringify({ format: FORMAT, partitions });
  await connection.write(names.agreement, asked, { expected: 0 });
  const kept = await connection.read(names.leaseStream, { last_by_subj: names.agreement });
  const given = Buffer.from(kept?.data ?? []).toString();
  if (given !== asked) throw settingsError(`stream ${names.stream} was made for ${given}, asked for was ${asked}`);
}
