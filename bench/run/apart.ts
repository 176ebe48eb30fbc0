// Runs rows in a process of their own.
//
// Rows in one process change one another's figures: V8 takes code back that it had compiled for the contenders of an earlier row,
// the heap has grown for them, threads and timers of theirs are still there. The same row measured after others differed by 10 to
// 40 % from what it gave alone. The contenders of one row share their process and take turns in it, for what is compared has to be
// measured in the same circumstances.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Measured, titleOf } from './rounds.js';
import type { Row, Run } from './row.js';

const MEASURE_ROWS = fileURLToPath(new URL('../measure-rows.js', import.meta.url));
/** The longest row takes a tenth of it, and less than half of it on a Raspberry Pi. */
const LIMIT_MS = 300_000;

export interface Job {
  /** URL of a module that exports `FILES`, as bench/rows.ts does. */
  readonly module: string;
  readonly run: Run;
  readonly rounds: number;
}

/** What the process is told; it finds the rows in the module by their titles, for a row has functions. */
export interface Told extends Job {
  readonly titles: readonly string[];
}

/** What the process answers, for each row in turn. */
export type Answer = { readonly figures: readonly Omit<Measured, 'row'>[] } | Failure;

export interface Failure {
  /** Why the row has no figures. */
  readonly failure: string;
}

/** One result for each part of the row, or why there is none. */
export type Outcome = readonly Measured[] | Failure;

/**
 * Measures these rows in one process, and those that come after one that ended the process in another. Resolves when the last one
 * has ended; never rejects.
 *
 * @param tell called for each row, in order, as soon as its outcome is known
 * @param limitMs how long a row may take before its process is ended. Default: 5 minutes
 */
export async function measureApart(
  rows: readonly Row[],
  job: Job,
  tell: (row: Row, outcome: Outcome) => void,
  limitMs = LIMIT_MS,
): Promise<void> {
  for (let left = rows; left.length > 0; ) left = await inOneProcess(left, job, tell, limitMs);
}

/** Resolves with the rows that are still to be measured: at least one less. */
function inOneProcess(
  rows: readonly Row[],
  job: Job,
  tell: (row: Row, outcome: Outcome) => void,
  limitMs: number,
): Promise<readonly Row[]> {
  return new Promise((resolve) => {
    const told: Told = { ...job, titles: rows.map((row) => titleOf(row)) };
    const child = fork(MEASURE_ROWS, [JSON.stringify(told)], { serialization: 'advanced' });
    const left = [...rows];
    let end: string | undefined;
    const take = (answer: Answer): void => {
      const row = left.shift();
      if (row === undefined) return;
      tell(row, 'failure' in answer ? answer : answer.figures.map((figures) => ({ row, ...figures })));
    };
    const limit = setTimeout(() => {
      end = `it took more than ${limitMs / 1000} s`;
      child.kill('SIGKILL');
    }, limitMs);
    let isEnded = false;
    const ended = (failure: string): void => {
      if (isEnded) return;
      isEnded = true;
      clearTimeout(limit);
      take({ failure });
      resolve(left);
    };
    child.on('message', (answer) => {
      limit.refresh();
      take(answer as Answer);
    });
    child.on('error', (error) => ended(`its process could not be started: ${error.message}`));
    child.on('close', (code, signal) => {
      ended(end ?? `its process ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}, without figures`);
    });
  });
}
