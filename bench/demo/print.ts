// What the demo prints: a progress bar or lines, and tables.
import type { HealthStatus } from '../../src/index.js';

/** A bar on a terminal; in a pipe, a line at each tenth. */
export class Progress {
  readonly #total: number;
  readonly #label: string;
  #lastTenth = 0;
  #lastPercent = -1;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = total;
  }

  show(done: number): void {
    const share = this.#total === 0 ? 1 : done / this.#total;
    if (process.stdout.isTTY) {
      const percent = Math.floor(share * 100);
      if (percent === this.#lastPercent && done !== this.#total) return;
      this.#lastPercent = percent;
      const width = 40;
      const filled = Math.round(share * width);
      const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
      process.stdout.write(`\r${bar} ${String(percent).padStart(3)} %  ${done} of ${this.#total} ${this.#label}`);
      if (done === this.#total) process.stdout.write('\n');
      return;
    }
    const tenth = Math.floor(share * 10);
    if (tenth === this.#lastTenth) return;
    this.#lastTenth = tenth;
    console.log(`  ${String(tenth * 10).padStart(3)} %  ${done} of ${this.#total} ${this.#label}`);
  }
}

/** Columns as wide as they need to be; numbers to the right. */
export function printTable(header: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = [header, ...rows].map((row) => row.map(String));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => (row[column] ?? '').length)));
  const isNumber = header.map((_, column) => rows.every((row) => typeof row[column] === 'number'));
  for (const row of cells) {
    const line = row.map((cell, column) =>
      isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
    );
    console.log(`  ${line.join('  ').trimEnd()}`);
  }
}

export function printTitle(title: string): void {
  console.log(`\n${title}`);
}

/** One row for each subscription. Returns whether routed = succeeded + deadLettered + dropped + pending in all of them. */
export function printAccounting({ subscriptions }: HealthStatus): boolean {
  let isRight = true;
  const rows = subscriptions.map((s) => {
    const adds = s.routed === s.succeeded + s.deadLettered + s.dropped + s.pending;
    if (!adds) isRight = false;
    return [
      s.subscriberId,
      s.routed,
      s.succeeded,
      s.deadLettered,
      s.dropped,
      s.pending,
      s.breaker ?? 'none',
      adds ? 'adds up' : 'DOES NOT ADD UP',
    ];
  });
  printTable(
    ['subscription', 'routed', 'succeeded', 'dead-lettered', 'dropped', 'pending', 'breaker', 'accounting'],
    rows,
  );
  return isRight;
}

/** How often each value occurs, most frequent first. */
export function printCounts(header: string, counts: Readonly<Record<string, number>>): void {
  const rows = Object.entries(counts)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  printTable([header, 'count'], rows);
}
