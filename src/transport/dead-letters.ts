// The dead letters of all processes, in one stream: a letter is one message on a subject of its own, replaced when it changes.

import type { Clock, Timer } from '../shared/clock.js';
import type { TransportHealth } from '../shared/health-status.js';
import type { LetterStore } from '../shared/letter-store.js';
import type {
  LetterEdit,
  LetterFilter,
  LetterGroup,
  LetterHeader,
  LetterState,
  LetterStats,
  LetterSummary,
  ReadLetter,
  ReplayOutcomes,
} from '../shared/logging-task.js';
import { copyOf } from '../shared/views.js';
import type { Connection } from './connection.js';
import type { Kept } from './connection-words.js';
import {
  type KeptLetter,
  type KeptSummary,
  keptLetter,
  keptSummary,
  newLetter,
  readLetter,
  withEdit,
  withFailure,
  writtenLetter,
} from './kept-letter.js';
import { LetterCount } from './letter-count.js';
import { groupsOf, statsOf, wantedOf } from './letter-list.js';
import type { Names } from './subjects.js';

export interface DeadLettersParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly names: Names;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
  /** Keeps on this machine a letter that the servers do not take. Resolves once it is safe. Never rejects. */
  readonly keep: (header: LetterHeader, payload: Uint8Array) => Promise<void>;
}

interface Waiting {
  readonly letter: KeptLetter;
  readonly onStored: () => void;
  /** True: its message is not acknowledged before, and comes again. */
  readonly comesAgain: boolean;
}

/** Before a letter that could not be stored is tried again, in milliseconds. */
const AGAIN_MS = 500;
/** What goes with a letter's body. One that is larger is never taken: the server may take less than it did when the message came. */
const HEADER_ROOM_BYTES = 8 * 1024;
/** A replay that has not ended after this many seconds ended with its process. */
const LONGEST_REPLAY_S = 600;

/**
 * Runs on the main thread. Every query may reject with BUSBAR_TRANSPORT_CONNECTION. Processes that change the same letter
 * at the same time: one of them succeeds.
 */
export class DeadLetters implements LetterStore {
  readonly #parts: DeadLettersParts;
  readonly #waiting = new Set<Waiting>();
  #again: Timer | undefined;
  #whenEmpty: (() => void)[] = [];
  #isClosed = false;
  #hasFailed = false;
  readonly #count: LetterCount;

  constructor(parts: DeadLettersParts) {
    this.#parts = parts;
    this.#count = new LetterCount(parts.connection, parts.clock, parts.names.letterStream);
  }

  /** How many there are, and since when that is known. */
  get count(): Pick<TransportHealth, 'deadLetters' | 'deadLettersAgeSeconds'> {
    return this.#count.now;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  letter(header: LetterHeader, payload: Uint8Array, onStored: () => void, comesAgain: boolean): void {
    const waiting: Waiting = { letter: newLetter(header, copyOf(payload)), onStored, comesAgain };
    this.#waiting.add(waiting);
    void this.#store(waiting);
  }

  async listLetters(filter: LetterFilter): Promise<LetterSummary[]> {
    return wantedOf(await this.#summaries(), filter);
  }

  async letterIds(filter: LetterFilter): Promise<string[]> {
    return (await this.listLetters(filter)).map(({ error_id: id }) => id);
  }

  async readLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    const found = await Promise.all(ids.map(async (id) => (await this.#find(id))?.letter));
    return found.flatMap((letter) => (letter === undefined ? [] : [readLetter(letter)]));
  }

  async letterStats(): Promise<LetterStats> {
    return statsOf(await this.#summaries());
  }

  async letterGroups(filter: LetterFilter): Promise<LetterGroup[]> {
    const groups = groupsOf(await this.listLetters(filter));
    const samples = await this.readLetters(groups.map(({ sample_id: id }) => id));
    const errors = new Map(samples.map(({ letter }) => [letter.error_id, letter.error]));
    return groups.map((group) => ({ ...group, sample_error: errors.get(group.sample_id) ?? null }));
  }

  async moveLetters(ids: readonly string[], from: LetterState, to: LetterState): Promise<number> {
    const moved = await this.#changeAll(ids, (letter) =>
      letter.summary.state === from ? inState(letter, to) : undefined,
    );
    return moved.length;
  }

  async claimLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    const claimed_at = this.#parts.clock.now() / 1000;
    const claimed = await this.#changeAll(ids, ({ summary, ...letter }) =>
      summary.state === 'pending_replay'
        ? undefined
        : { ...letter, summary: { ...summary, state: 'pending_replay', replays: summary.replays + 1, claimed_at } },
    );
    return claimed.map(readLetter);
  }

  async settleReplays({ resolved, refailed, returned }: ReplayOutcomes): Promise<void> {
    await this.removeLetters(resolved);
    const failures = new Map(refailed.map(({ id, failure }) => [id, failure]));
    await this.#changeAll([...failures.keys()], (letter) => {
      const failure = failures.get(letter.summary.error_id);
      return failure === undefined ? undefined : withFailure(letter, failure);
    });
    await this.moveLetters(returned, 'pending_replay', 'dead');
  }

  async editLetter(id: string, edit: LetterEdit): Promise<ReadLetter | undefined> {
    const [edited] = await this.#changeAll([id], (letter) =>
      letter.summary.state === 'pending_replay' ? undefined : withEdit(letter, edit),
    );
    return edited && readLetter(edited);
  }

  async removeLetters(ids: readonly string[]): Promise<number> {
    const { connection, names } = this.#parts;
    const removals = await Promise.all(
      ids.map(async (id) => {
        const found = await this.#find(id);
        return found !== undefined && (await connection.remove(names.letterStream, found.kept.sequence));
      }),
    );
    return removals.filter((isRemoved) => isRemoved).length;
  }

  clearLetters(): Promise<number> {
    return this.#parts.connection.purge(this.#parts.names.letterStream);
  }

  /** Resolves once all are stored, or kept. */
  empty(): Promise<void> {
    return this.waiting === 0 ? Promise.resolve() : new Promise((done) => this.#whenEmpty.push(done));
  }

  /** The connection is there again. */
  reconnected(): void {
    for (const waiting of this.#waiting) void this.#store(waiting);
  }

  /** What is not stored is kept here, unless its message comes again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#again?.cancel();
    this.#count.close();
    for (const waiting of this.#waiting) if (!waiting.comesAgain) await this.#keep(waiting);
  }

  async #store(waiting: Waiting): Promise<void> {
    const { connection, names, report } = this.#parts;
    const { body, lines } = writtenLetter(waiting.letter);
    if (body.byteLength + HEADER_ROOM_BYTES > connection.largestMessage) {
      await this.#keep(waiting);
      return;
    }
    try {
      // A letter that is there already was stored by a write whose answer got lost.
      const subject = names.letter(waiting.letter.header.error_id);
      if ((await connection.write(subject, body, { expected: 0, header: lines })) !== null) this.#count.add();
    } catch (thrown) {
      if (connection.isUp && !this.#hasFailed) report(thrown, { unstored_letters: this.#waiting.size });
      this.#hasFailed = true;
      this.#tryAgain();
      return;
    }
    this.#hasFailed = false;
    this.#stored(waiting);
  }

  async #keep(waiting: Waiting): Promise<void> {
    const { header, payload } = waiting.letter;
    await this.#parts.keep(header, payload);
    this.#stored(waiting);
  }

  #stored(waiting: Waiting): void {
    if (this.#waiting.delete(waiting)) waiting.onStored();
    if (this.waiting === 0) for (const done of this.#whenEmpty.splice(0)) done();
  }

  #tryAgain(): void {
    if (this.#again !== undefined || this.#isClosed) return;
    this.#again = this.#parts.clock.after(AGAIN_MS, () => {
      this.#again = undefined;
      if (this.#parts.connection.isUp) this.reconnected();
      else this.#tryAgain();
    });
  }

  async #find(id: string): Promise<{ readonly kept: Kept; readonly letter: KeptLetter } | undefined> {
    const { connection, names } = this.#parts;
    const kept = await connection.read(names.letterStream, { last_by_subj: names.letter(id) });
    const letter = kept === null ? undefined : keptLetter(kept);
    if (kept === null || letter === undefined) return undefined;
    return { kept, letter: { ...letter, summary: this.#asItStands(letter.summary) } };
  }

  /** Those that `change` changed, as they are now: it returns undefined for one that it leaves as it is. */
  async #changeAll(
    ids: readonly string[],
    change: (letter: KeptLetter) => KeptLetter | undefined,
  ): Promise<KeptLetter[]> {
    const changed = await Promise.all(
      ids.map(async (id) => {
        const found = await this.#find(id);
        const letter = found && change(found.letter);
        if (found === undefined || letter === undefined) return undefined;
        const { body, lines } = writtenLetter(letter);
        const options = { expected: found.kept.sequence, header: lines };
        const stored = await this.#parts.connection.write(found.kept.subject, body, options);
        return stored === null ? undefined : letter;
      }),
    );
    return changed.filter((letter) => letter !== undefined);
  }

  /** Oldest first. */
  async #summaries(): Promise<LetterSummary[]> {
    const summaries: LetterSummary[] = [];
    await this.#parts.connection.scan(this.#parts.names.letterStream, (kept) => {
      const summary = keptSummary(kept);
      if (summary === undefined) return;
      const { claimed_at: _claimedAt, ...rest } = this.#asItStands(summary);
      summaries.push(rest);
    });
    return summaries.sort((one, other) => one.timestamp - other.timestamp);
  }

  #asItStands(summary: KeptSummary): KeptSummary {
    const isOver = this.#parts.clock.now() / 1000 - summary.claimed_at > LONGEST_REPLAY_S;
    return summary.state === 'pending_replay' && isOver ? { ...summary, state: 'dead' } : summary;
  }
}

function inState(letter: KeptLetter, state: LetterState): KeptLetter {
  return { ...letter, summary: { ...letter.summary, state } };
}
