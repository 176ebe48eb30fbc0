// What main may ask of the logging worker. Each answer comes after what was handed over before.
import { transfer } from 'comlink';
import type { LetterColumns, LoggingAnswers } from '../../src/shared/letter-table.js';
import type {
  ErrorFilter,
  ErrorStatistics,
  LetterEdit,
  LetterFilter,
  LetterGroup,
  LetterHeader,
  LetterState,
  LetterStats,
  OpenResult,
  ReadLetter,
  ReplayOutcomes,
} from '../../src/shared/logging-task.js';
import type { ErrorReport } from '../../src/shared/report.js';
import type { Keeper } from './keeper.js';
import { groupsOf, statsOf } from './letter-groups.js';
import { handedLetter } from './letter-line.js';
import type { Letters } from './letters.js';

/** Belongs to the logging worker. */
export class Queries implements LoggingAnswers {
  readonly #keeper: Keeper;

  constructor(keeper: Keeper) {
    this.#keeper = keeper;
  }

  open(): Promise<OpenResult> {
    return this.#keeper.open();
  }

  async recentErrors(filter: ErrorFilter): Promise<ErrorReport[]> {
    this.#keeper.takeAll();
    return this.#keeper.statistics.recent(filter);
  }

  async statistics(): Promise<ErrorStatistics> {
    this.#keeper.takeAll();
    return this.#keeper.statistics.summary(this.#keeper.seconds());
  }

  async flush(): Promise<void> {
    this.#keeper.takeAll();
    this.#keeper.keepHouse(true);
  }

  async listLetters(filter: LetterFilter): Promise<LetterColumns> {
    const { columns } = await this.#withLetters((letters) => letters.list(filter));
    return transfer(columns, [columns.timestamps.buffer, columns.values.buffer]);
  }

  letterIds(filter: LetterFilter): Promise<string[]> {
    return this.#withLetters((letters) => letters.ids(filter));
  }

  letterGroups(filter: LetterFilter): Promise<LetterGroup[]> {
    return this.#withLetters((letters) => groupsOf(letters, filter));
  }

  letterStats(): Promise<LetterStats> {
    return this.#withLetters((letters) => statsOf(letters.index));
  }

  readLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    return this.#withLetters((letters) => letters.read(ids));
  }

  storeLetter(header: LetterHeader, payload: Uint8Array): Promise<void> {
    return this.#withLetters((letters) => letters.add([handedLetter(header, payload)]));
  }

  moveLetters(ids: readonly string[], from: LetterState, to: LetterState): Promise<number> {
    return this.#withLetters((letters) => letters.move(ids, from, to, this.#keeper.seconds()));
  }

  claimLetters(ids: readonly string[]): Promise<ReadLetter[]> {
    return this.#withLetters((letters) => letters.claim(ids, this.#keeper.seconds()));
  }

  settleReplays(outcomes: ReplayOutcomes): Promise<void> {
    return this.#withLetters((letters) => letters.settleReplays(outcomes, this.#keeper.seconds()));
  }

  editLetter(id: string, edit: LetterEdit): Promise<ReadLetter | undefined> {
    return this.#withLetters((letters) => letters.edit(id, edit));
  }

  removeLetters(ids: readonly string[]): Promise<number> {
    return this.#withLetters((letters) => letters.remove(ids, this.#keeper.seconds()));
  }

  clearLetters(): Promise<number> {
    return this.#withLetters((letters) => letters.clear());
  }

  async die(): Promise<void> {
    process.exit(1);
  }

  close(): Promise<void> {
    return this.#keeper.close();
  }

  async #withLetters<T>(work: (letters: Letters) => T): Promise<T> {
    this.#keeper.takeAll();
    try {
      return work(this.#keeper.letters);
    } finally {
      this.#keeper.showLetters();
    }
  }
}
