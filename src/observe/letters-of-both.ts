// Two lists of dead letters as one: those on a transport's servers, and those that lie on this machine.
import type { LetterQueries } from '../shared/letter-store.js';
import type {
  LetterEdit,
  LetterFilter,
  LetterGroup,
  LetterState,
  LetterStats,
  LetterSummary,
  ReadLetter,
  ReplayOutcomes,
} from '../shared/logging-task.js';

/** The first few topics and subscribers of a group that are named. */
const MOST_NAMED = 5;

/** Every query rejects when one of the two does. A letter is in one of them. */
export class LettersOfBoth implements LetterQueries {
  readonly #servers: LetterQueries;
  readonly #here: LetterQueries;

  constructor(servers: LetterQueries, here: LetterQueries) {
    this.#servers = servers;
    this.#here = here;
  }

  async listLetters(filter: LetterFilter): Promise<LetterSummary[]> {
    const letters = (await this.#both((list) => list.listLetters(filter))).flat();
    letters.sort((one, other) => one.timestamp - other.timestamp);
    return letters.slice(0, filter.limit ?? letters.length);
  }

  async letterIds(filter: LetterFilter): Promise<string[]> {
    return (await this.listLetters(filter)).map(({ error_id: id }) => id);
  }

  async readLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    const letters = (await this.#both((list) => list.readLetters(ids))).flat();
    const byId = new Map(letters.map((read) => [read.letter.error_id, read]));
    return ids.flatMap((id) => byId.get(id) ?? []);
  }

  async letterStats(): Promise<LetterStats> {
    const [servers, here] = await this.#both((list) => list.letterStats());
    return {
      letters: servers.letters + here.letters,
      bytes: servers.bytes + here.bytes,
      byState: sums(servers.byState, here.byState),
      byReason: sums(servers.byReason, here.byReason),
      byCategory: sums(servers.byCategory, here.byCategory),
      bySubscriber: sums(servers.bySubscriber, here.bySubscriber),
      bySignature: sums(servers.bySignature, here.bySignature),
    };
  }

  async letterGroups(filter: LetterFilter): Promise<LetterGroup[]> {
    const [servers, here] = await this.#both((list) => list.letterGroups(filter));
    const groups = new Map(servers.map((group) => [group.signature, group]));
    for (const group of here) {
      const other = groups.get(group.signature);
      groups.set(group.signature, other === undefined ? group : joined(other, group));
    }
    return [...groups.values()].sort((one, other) => other.count - one.count);
  }

  async moveLetters(ids: readonly string[], from: LetterState, to: LetterState): Promise<number> {
    return sum(await this.#both((list) => list.moveLetters(ids, from, to)));
  }

  async claimLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    const claimed = await this.#servers.claimLetters(ids);
    try {
      return [...claimed, ...(await this.#here.claimLetters(ids))];
    } catch (thrown) {
      // Nobody would know that they are claimed.
      const returned = claimed.map(({ letter }) => letter.error_id);
      await this.#servers.settleReplays({ resolved: [], refailed: [], returned });
      throw thrown;
    }
  }

  async settleReplays(outcomes: ReplayOutcomes): Promise<void> {
    await this.#both((list) => list.settleReplays(outcomes));
  }

  async editLetter(id: string, edit: LetterEdit): Promise<ReadLetter | undefined> {
    return (await this.#servers.editLetter(id, edit)) ?? this.#here.editLetter(id, edit);
  }

  async removeLetters(ids: readonly string[]): Promise<number> {
    return sum(await this.#both((list) => list.removeLetters(ids)));
  }

  async clearLetters(): Promise<number> {
    return sum(await this.#both((list) => list.clearLetters()));
  }

  #both<T>(ask: (list: LetterQueries) => Promise<T>): Promise<[T, T]> {
    return Promise.all([ask(this.#servers), ask(this.#here)]);
  }
}

function sum([servers, here]: readonly [number, number]): number {
  return servers + here;
}

/** Names come from messages: none of them may be one that every object has. */
function sums(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): Record<string, number> {
  const all: Record<string, number> = Object.assign(Object.create(null), one);
  for (const [name, count] of Object.entries(other)) all[name] = (all[name] ?? 0) + count;
  return all;
}

/** Of one cause; its sample is the newest. */
function joined(one: LetterGroup, other: LetterGroup): LetterGroup {
  const named = (names: readonly string[]): string[] => [...new Set(names)].slice(0, MOST_NAMED);
  return {
    ...(other.last > one.last ? other : one),
    count: one.count + other.count,
    first: Math.min(one.first, other.first),
    topics: named([...one.topics, ...other.topics]),
    subscriber_ids: named([...one.subscriber_ids, ...other.subscriber_ids]),
  };
}
