// The parts of error handling by themselves: what classifying, asking a breaker and logging take of the calling thread.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistogram } from 'node:perf_hooks';
import { CircuitBreaker, classifyError, ErrorLogger } from '../../src/index.js';
import { reportNumber } from '../load/reports.js';
import type { Row, Run } from '../run/row.js';

/** Calls between two looks at the clock. */
const CALLS = 100;
const MOST_REPORTS = 20_000;

export const errorParts: readonly Row[] = [
  {
    ...partRow('classification of an error'),
    contenders: {
      busbar: async (run) => {
        let next = 0;
        return {
          measure: async () => timeOf(() => classifyError(THROWN[next++ % THROWN.length]), run),
          close: async () => undefined,
        };
      },
    },
    goals: [{ name: 'classification of an error', atMost: 1000 }],
  },
  {
    ...partRow('check of a breaker'),
    contenders: {
      busbar: async (run) => {
        const breaker = new CircuitBreaker();
        return { measure: async () => timeOf(() => breaker.state, run), close: async () => undefined };
      },
    },
    goals: [{ name: 'check of a breaker', atMost: 100 }],
  },
  {
    ...partRow('handing a report to the log'),
    parts: ['p50', 'p99', 'the longest'],
    contenders: { busbar: openLog },
    // It does not block: a call that waited for the disk would take longer. The longest may hold a garbage collection.
    goals: [{ part: 'p99', name: 'handing a report to the log, p99', atMost: 1000 }],
  },
];

function partRow(name: string): Pick<Row, 'name' | 'payload' | 'inflight' | 'unit' | 'better'> {
  return { name, payload: '', inflight: 0, unit: 'µs', better: 'lower' };
}

/** What handlers throw: plain errors, codes, causes, statuses, and what is no error at all. */
const THROWN: readonly unknown[] = [
  new Error('plain'),
  Object.assign(new Error('refused'), { code: 'ECONNREFUSED', syscall: 'connect' }),
  new TypeError('fetch failed', { cause: Object.assign(new Error('lost'), { code: 'ECONNRESET' }) }),
  Object.assign(new Error('busy'), { status: 503 }),
  new AggregateError([new Error('one'), Object.assign(new Error('two'), { code: 'ETIMEDOUT' })], 'all failed'),
  new DOMException('too late', 'TimeoutError'),
  'a text',
  undefined,
];

/** Microseconds a call. */
function timeOf(call: () => unknown, { sliceMs }: Run): number {
  const began = performance.now();
  let calls = 0;
  while (performance.now() - began < sliceMs) {
    for (let count = 0; count < CALLS; count++) call();
    calls += CALLS;
  }
  return ((performance.now() - began) / calls) * 1000;
}

async function openLog({ sliceMs }: Run): ReturnType<Row['contenders']['busbar']> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-bench-'));
  const logger = new ErrorLogger({ logDir: folder });
  await logger.flush();
  let reports = 0;
  const measure = async (): Promise<number[]> => {
    const histogram = createHistogram();
    const end = performance.now() + sliceMs;
    for (let count = 0; count < MOST_REPORTS && performance.now() < end; count++) {
      const report = reportNumber(reports++);
      const began = performance.now();
      const isTaken = logger.logError(report);
      histogram.record(Math.max(1, Math.round((performance.now() - began) * 1e6)));
      if (!isTaken) throw new Error('the log had no room for a report');
      if (count % CALLS === CALLS - 1) await logger.flush();
    }
    await logger.flush();
    return [histogram.percentile(50), histogram.percentile(99), histogram.max].map((ns) => ns / 1000);
  };
  const close = async (): Promise<void> => {
    const { totalErrors } = await logger.getErrorStatistics();
    await logger.close();
    rmSync(folder, { recursive: true, force: true });
    if (totalErrors !== reports) throw new Error(`${reports} reports were logged, and ${totalErrors} were counted`);
  };
  return { measure, close };
}
