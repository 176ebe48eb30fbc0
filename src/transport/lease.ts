// One process's hold on one partition: a record on the server that only its holder renews.
import type { Clock } from '../shared/clock.js';
import type { Connection } from './connection.js';

/** What the record says. */
export interface LeaseRecord {
  /** The instance that holds the partition. */
  readonly holder: string;
  /**
   * Messages up to this sequence may have been started by the holder: another one that gets them counts an attempt.
   * The server's own count is lost when it dies before it has written it down.
   */
  readonly mark: number;
  /** True: given back. */
  readonly isReleased: boolean;
  /** By sequence: what was given back unsettled, and is not settled. */
  readonly returned: ReadonlyMap<number, Returned>;
}

/** What a message went through that does not count as if processes had vanished with it. */
export interface Returned {
  /** Deliveries to processes that stopped in order. */
  readonly deliveries: number;
  /** Attempts that may have been started so far, but for those that vanished with their process. */
  readonly started: number;
  /** True: one was, however little the server remembers of its deliveries. */
  readonly mayHaveStarted: boolean;
}

/** A record as it was read. */
export interface ReadLease {
  readonly revision: number;
  readonly record: LeaseRecord;
}

export interface LeaseParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly stream: string;
  readonly subject: string;
  readonly instance: string;
  readonly leaseMs: number;
}

/** So many fit into a record. What is given back beyond that counts as if its process had vanished. */
const MOST_RETURNED = 20_000;
/** The part of the lease after which its holder trusts it no more: what it asked for by then is over before the lease. */
const TRUSTED = 0.7;

/** The mark is raised by this many sequences at a time. */
export const MARK_STEP = 16_384;
/** So many sequences before they are needed: what is on its way may span as many, for partitions share their stream. */
const MARK_AHEAD = 12_288;

/** Raises the mark before what comes after this sequence needs it. */
export function raiseAhead(lease: Lease, sequence: number): void {
  const isNear = sequence > lease.mark - MARK_AHEAD;
  if (isNear && !lease.isWriting) void lease.raiseMark(sequence + MARK_AHEAD + MARK_STEP);
}

/** Reads a record; null: nobody has ever held it. @throws BUSBAR_TRANSPORT_CONNECTION */
export async function readLease({ connection, stream, subject }: LeaseParts): Promise<ReadLease | null> {
  const kept = await connection.read(stream, { last_by_subj: subject });
  if (kept === null) return null;
  return { revision: kept.sequence, record: recordOf(kept.data) };
}

/**
 * Takes the partition, if nobody else did meanwhile.
 *
 * @param known the record as it was read
 * @throws BUSBAR_TRANSPORT_CONNECTION
 */
export async function takeLease(parts: LeaseParts, known: ReadLease | null): Promise<Lease | null> {
  const askedAt = parts.clock.elapsed();
  const { mark = 0, isReleased = true, returned = new Map<number, Returned>() } = known?.record ?? {};
  // Whoever held it since has vanished, and may have started what was given back before.
  const isTrue = ([one, { mayHaveStarted }]: [number, Returned]): boolean =>
    mayHaveStarted || (!isReleased && one <= mark);
  const notes = new Map([...returned].map((entry) => [entry[0], { ...entry[1], mayHaveStarted: isTrue(entry) }]));
  const record: LeaseRecord = { holder: parts.instance, mark, isReleased: false, returned: notes };
  const revision = await parts.connection.write(parts.subject, written(record), { expected: known?.revision ?? 0 });
  return revision === null ? null : new Lease(parts, revision, record, askedAt);
}

/** Held by this process. Runs on the main thread. */
export class Lease {
  readonly #parts: LeaseParts;
  #revision: number;
  #mark: number;
  #wantedMark: number;
  #confirmedAt: number;
  #isLost = false;
  /** See {@link LeaseRecord.returned}; goes into the record when it is written next. */
  readonly returned: Map<number, Returned>;
  #writing: Promise<boolean> | undefined;

  constructor(parts: LeaseParts, revision: number, { mark, returned }: LeaseRecord, confirmedAt: number) {
    this.#parts = parts;
    this.#revision = revision;
    this.#mark = mark;
    this.#wantedMark = mark;
    this.#confirmedAt = confirmedAt;
    this.returned = new Map(returned);
  }

  /** Another process has it, or may. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** False: this process must not ask for more, nor start what it has. One look at the clock. */
  get isTrusted(): boolean {
    return !this.#isLost && this.#parts.clock.elapsed() - this.#confirmedAt < this.#parts.leaseMs * TRUSTED;
  }

  /** True while the server is asked for something. */
  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /** See {@link LeaseRecord.mark}. */
  get mark(): number {
    return this.#mark;
  }

  /** Raises the mark, and renews. False: not now. */
  async raiseMark(mark: number): Promise<boolean> {
    this.#wantedMark = Math.max(this.#wantedMark, mark);
    if (this.#mark >= mark && this.isTrusted) return true;
    return this.#write(false);
  }

  /** Says that this process lives. False: not now; ask `isLost`. */
  renew(): Promise<boolean> {
    return this.#write(false);
  }

  /**
   * Gives the partition back: nothing of it is unsettled here but what is in `returned`.
   *
   * @param mark the highest sequence that was started: what the holder had reserved beyond it is not marked elsewhere
   */
  async release(mark: number): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    this.#wantedMark = mark;
    if (!this.#isLost) await this.#write(true);
    this.#isLost = true;
  }

  /** One write at a time: each expects the one before. */
  async #write(isReleased: boolean): Promise<boolean> {
    while (this.#writing !== undefined) await this.#writing;
    this.#writing = this.#writeNow(isReleased);
    const isWritten = await this.#writing;
    this.#writing = undefined;
    return isWritten;
  }

  async #writeNow(isReleased: boolean): Promise<boolean> {
    if (this.#isLost) return false;
    const { connection, subject, clock, instance } = this.#parts;
    const askedAt = clock.elapsed();
    const mark = this.#wantedMark;
    const record: LeaseRecord = { holder: instance, mark, isReleased, returned: this.returned };
    try {
      const revision = await connection.write(subject, written(record), { expected: this.#revision });
      if (revision === null) return await this.#lookAgain();
      this.#revision = revision;
      this.#mark = mark;
      this.#confirmedAt = askedAt;
      return true;
    } catch {
      // No connection: the lease runs out by itself, and the connection's own end reports it.
      return false;
    }
  }

  /** A write whose answer was lost may have been stored: the record is still ours then. */
  async #lookAgain(): Promise<boolean> {
    const found = await readLease(this.#parts);
    if (found?.record.holder === this.#parts.instance && !found.record.isReleased) this.#revision = found.revision;
    else this.#isLost = true;
    return false;
  }
}

function recordOf(data: Uint8Array): LeaseRecord {
  try {
    const { holder, mark, is_released: isReleased, returned } = JSON.parse(Buffer.from(data).toString());
    if (typeof holder === 'string' && Number.isSafeInteger(mark))
      return { holder, mark, isReleased: isReleased === true, returned: returnedOf(returned) };
  } catch {
    // Falls through: a record that cannot be read belongs to nobody we know, and runs out.
  }
  return { holder: '', mark: Number.MAX_SAFE_INTEGER, isReleased: false, returned: new Map() };
}

/** Written as sequence, deliveries, attempts, and 1 where one may have been started. */
function returnedOf(triples: unknown): Map<number, Returned> {
  const returned = new Map<number, Returned>();
  if (!Array.isArray(triples)) return returned;
  for (const triple of triples) {
    if (!Array.isArray(triple) || triple.length < 3 || !triple.every(Number.isSafeInteger)) continue;
    const [sequence, deliveries, started, mayHaveStarted] = triple;
    returned.set(sequence, { deliveries, started, mayHaveStarted: mayHaveStarted === 1 });
  }
  return returned;
}

function written({ holder, mark, isReleased, returned }: LeaseRecord): string {
  const triples = [...returned].slice(0, MOST_RETURNED);
  return JSON.stringify({
    ...{ holder, mark, is_released: isReleased },
    returned: triples.map(([sequence, { deliveries, started, mayHaveStarted }]) => [
      ...[sequence, deliveries, started],
      ...(mayHaveStarted ? [1] : []),
    ]),
  });
}
