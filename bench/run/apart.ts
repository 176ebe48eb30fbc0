// Runs a row in a process of its own.
//
// Rows in one process change one another's figures: V8 takes code back that it had compiled for the contenders of an earlier row,
// the heap has grown for them, threads and timers of theirs are still there. The same row measured after others differed by 10 to
// 40 % from what it gave alone. The contenders of one row share their process and take turns in it, for what is compared has to be
// measured in the same circumstances.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Measured, titleOf } from './rounds.js';
import type { Row, Run } from './row.js';

const MEASURE_ROW = fileURLToPath(new URL('../measure-row.js', import.meta.url));
/** The longest row takes a tenth of it, and less than half of it on a Raspberry Pi. */
const LIMIT_MS = 300_000;

/** What the process is told; it finds the row in the module by its title, for a row has functions. */
export interface Job {
  /** URL of a module that exports `ROWS`. */
  readonly module: string;
  readonly title: string;
  readonly run: Run;
  readonly rounds: number;
}

/** What the process answers. */
export type Answer = { readonly figures: readonly Omit<Measured, 'row'>[] } | Failure;

export interface Failure {
  /** Why the row has no figures. */
  readonly failure: string;
}

/**
 * Resolves when the process has ended: with one result for each part of the row, or with why there is none. Never rejects.
 *
 * @param limitMs how long the process may take. Default: 5 minutes
 */
export function measureApart(row: Row, job: Omit<Job, 'title'>, limitMs = LIMIT_MS): Promise<Measured[] | Failure> {
  return new Promise((resolve) => {
    const told: Job = { ...job, title: titleOf(row) };
    const child = fork(MEASURE_ROW, [JSON.stringify(told)], { serialization: 'advanced' });
    let answer: Answer | undefined;
    const late: Failure = { failure: `it took more than ${limitMs / 1000} s` };
    const limit = setTimeout(() => {
      answer = late;
      child.kill('SIGKILL');
    }, limitMs);
    const settle = (settled: Answer): void => {
      clearTimeout(limit);
      resolve('failure' in settled ? settled : settled.figures.map((figures) => ({ row, ...figures })));
    };
    child.on('message', (message) => {
      answer ??= message as Answer;
    });
    child.on('error', (error) => settle({ failure: `its process could not be started: ${error.message}` }));
    child.on('close', (code, signal) => settle(answer ?? endedWithout(code, signal)));
  });
}

function endedWithout(code: number | null, signal: string | null): Failure {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  return { failure: `its process ended ${how}, without figures` };
}
