// The dead-letter queue: an index in memory, lines in segments, and the rules for what is kept how long.
import type {
  LetterFilter,
  LetterHeader,
  LetterState,
  LetterStats,
  LetterSummary,
  LogLimits,
  ReadLetter,
} from '../../src/shared/logging-task.js';
import { isStateLine, letterLine, openLetter, parseLine, type StateLine, stateLine } from './letter-line.js';
import type { Damage, Place, Segments } from './segments.js';

interface Entry {
  readonly summary: LetterSummary;
  readonly place: Place;
}

/** Belongs to the logging worker. Payloads stay on the disk. */
export class Letters {
  readonly #segments: Segments;
  readonly #limits: LogLimits;
  /** By error_id, oldest first. */
  readonly #entries = new Map<string, Entry>();
  /** Letters that each segment still holds. */
  readonly #population = new Map<string, number>();
  #bytes = 0;
  /** What retention took so far, by rule. */
  readonly retired = { count: 0, bytes: 0, age: 0 };

  constructor(segments: Segments, limits: LogLimits) {
    this.#segments = segments;
    this.#limits = limits;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Reads what an earlier process left. A damaged line never stops it. */
  restore(): Damage {
    const damage = this.#segments.restore((text, place) => {
      const line = parseLine(text);
      if (line === undefined) return false;
      this.#population.set(place.segment, this.#population.get(place.segment) ?? 0);
      if (isStateLine(line)) this.#applyState(line);
      else this.#insert(line as unknown as LetterHeader, place);
      return true;
    });
    this.#dropEmptySegments();
    return damage;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Adds letters: when it returns they are on the disk. A letter that is there already is not added again. */
  add(letters: readonly { header: LetterHeader; payload: Uint8Array }[]): void {
    const fresh = letters.filter(({ header }) => !this.has(header.error_id));
    if (fresh.length === 0) return;
    const places = this.#segments.append(fresh.map(({ header, payload }) => letterLine(header, payload)));
    fresh.forEach(({ header }, index) => {
      this.#insert(header, places[index] as Place);
    });
  }

  /** Enforces the limits: returns how many letters went. The oldest go first. */
  retire(now: number): number {
    const { maxLetters, maxLetterBytes, maxLetterAgeMs } = this.#limits;
    const gone: string[] = [];
    let bytes = this.#bytes;
    for (const [id, { summary, place }] of this.#entries) {
      const rule =
        now - summary.timestamp > maxLetterAgeMs / 1000
          ? 'age'
          : this.#entries.size - gone.length > maxLetters
            ? 'count'
            : bytes > maxLetterBytes
              ? 'bytes'
              : undefined;
      if (rule === undefined) break;
      this.retired[rule]++;
      bytes -= place.length;
      gone.push(id);
    }
    return this.remove(gone, now);
  }

  list(filter: LetterFilter): LetterSummary[] {
    const found: LetterSummary[] = [];
    for (const { summary } of this.#entries.values()) {
      if (found.length >= (filter.limit ?? Number.POSITIVE_INFINITY)) break;
      if (isWanted(summary, filter)) found.push(summary);
    }
    return found;
  }

  /** In the order of `ids`; those that are not there are left out. */
  read(ids: readonly string[]): ReadLetter[] {
    return ids.flatMap((id) => {
      const entry = this.#entries.get(id);
      if (entry === undefined) return [];
      const line = parseLine(this.#segments.read(entry.place));
      if (line === undefined || isStateLine(line)) return [];
      return [openLetter(line, entry.summary.state, entry.summary.replays)];
    });
  }

  /** Returns how many changed. */
  setState(ids: readonly string[], state: LetterState, now: number): number {
    const known = ids.filter((id) => this.has(id));
    if (known.length > 0) this.#write({ format: 1, timestamp: now, state, error_ids: known });
    return known.length;
  }

  /** Returns how many went. */
  remove(ids: readonly string[], now: number): number {
    const known = ids.filter((id) => this.has(id));
    if (known.length > 0) this.#write({ format: 1, timestamp: now, state: 'removed', error_ids: known });
    return known.length;
  }

  clear(): number {
    const { size } = this.#entries;
    this.#segments.removeAll();
    this.#entries.clear();
    this.#population.clear();
    this.#bytes = 0;
    return size;
  }

  stats(): LetterStats {
    const byReason: Record<string, number> = {};
    const byCategory: Record<string, number> = {};
    const bySubscriber: Record<string, number> = Object.create(null);
    const bySignature: Record<string, number> = Object.create(null);
    const count = (by: Record<string, number>, key: string): void => {
      by[key] = (by[key] ?? 0) + 1;
    };
    for (const { summary } of this.#entries.values()) {
      count(byReason, summary.reason);
      count(byCategory, summary.error_category);
      count(bySubscriber, summary.subscriber_id);
      count(bySignature, summary.signature);
    }
    return { letters: this.size, bytes: this.#bytes, byReason, byCategory, bySubscriber, bySignature };
  }

  #write(line: StateLine): void {
    const [place] = this.#segments.append([stateLine(line.timestamp, line.state, line.error_ids)]);
    this.#population.set((place as Place).segment, this.#population.get((place as Place).segment) ?? 0);
    this.#applyState(line);
  }

  #applyState({ state, error_ids: ids }: StateLine): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry === undefined) continue;
      if (state === 'removed') this.#drop(id, entry);
      else {
        const replays = entry.summary.replays + (state === 'pending_replay' ? 1 : 0);
        this.#entries.set(id, { ...entry, summary: { ...entry.summary, state, replays } });
      }
    }
  }

  #insert(header: LetterHeader, place: Place): void {
    const known = this.#entries.get(header.error_id);
    if (known !== undefined) this.#drop(header.error_id, known);
    const summary: LetterSummary = {
      error_id: header.error_id,
      timestamp: header.timestamp,
      message_id: header.message.id,
      topic: header.topic,
      subscriber_id: header.subscriber_id,
      pattern: header.pattern,
      error_category: header.error_category,
      reason: header.reason,
      signature: header.signature,
      retry_count: header.retry_count,
      state: 'dead',
      replays: 0,
      bytes: place.length,
    };
    this.#entries.set(header.error_id, { summary, place });
    this.#bytes += place.length;
    this.#population.set(place.segment, (this.#population.get(place.segment) ?? 0) + 1);
  }

  #drop(id: string, { place }: Entry): void {
    this.#entries.delete(id);
    this.#bytes -= place.length;
    this.#population.set(place.segment, (this.#population.get(place.segment) ?? 1) - 1);
    this.#dropEmptySegments();
  }

  /**
   * A segment without letters may still hold state lines about letters of older segments: it may go only when no
   * older segment is left, or those letters would come back at the next start.
   */
  #dropEmptySegments(): void {
    for (const [segment, letters] of this.#population) {
      if (letters > 0) return;
      if (!this.#segments.remove(segment)) return;
      this.#population.delete(segment);
    }
  }
}

function isWanted(letter: LetterSummary, filter: LetterFilter): boolean {
  const { topic, subscriberId, category, reason, signature, state, since } = filter;
  return (
    (topic === undefined ||
      letter.topic === topic ||
      (topic.endsWith('.>') && letter.topic.startsWith(topic.slice(0, -1)))) &&
    (subscriberId === undefined || letter.subscriber_id === subscriberId) &&
    (category === undefined || letter.error_category === category) &&
    (reason === undefined || letter.reason === reason) &&
    (signature === undefined || letter.signature === signature) &&
    (state === undefined || letter.state === state) &&
    (since === undefined || letter.timestamp >= since)
  );
}
