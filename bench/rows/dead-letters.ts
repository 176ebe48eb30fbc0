// Dead letters on their way to the disk: a segment with one fsync for all that wait, and a file with an fsync for each.
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DeadLetterQueue, ErrorCategory, type ErrorReport, ErrorSeverity } from '../../src/index.js';
import type { Contender, Row, Run } from '../run/row.js';

const REPORT: ErrorReport = {
  error_id: 'report',
  timestamp: 1_700_000_000,
  category: ErrorCategory.MESSAGE_PROCESSING_ERROR,
  severity: ErrorSeverity.MEDIUM,
  component: 'bench',
  message: 'sensor 7 has not answered',
  exception_type: 'Error',
  traceback: null,
  context: { signature: 'v1:0123456789ab', subscriber_id: 'detect', pattern: 'camera.*.frame' },
  recovery_attempted: true,
  recovery_successful: false,
  retry_count: 2,
};
const PAYLOAD = { sensor: 7, readings: 'x'.repeat(1000) };
const INFLIGHT = 2048;
/** More files at once do not make it faster: each waits for its own fsync. */
const FILES_AT_ONCE = 64;

export const deadLetters: readonly Row[] = [
  {
    name: 'dead letters on the disk',
    payload: '1 KB',
    inflight: INFLIGHT,
    unit: 'letters/s',
    better: 'higher',
    rounds: 3,
    contenders: { busbar: openQueue, 'a file each': openFiles },
    goals: [{ timesAsGoodAs: 'a file each', atLeast: 10 }],
  },
];

async function openQueue(run: Run): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-bench-'));
  const queue = new DeadLetterQueue({ storageDir: folder });
  await queue.list();
  let added = 0;
  return {
    measure: () =>
      perSecond(INFLIGHT, run, async () => {
        await queue.addMessage({ topic: 'camera.front.frame', payload: PAYLOAD }, REPORT);
        added++;
      }),
    close: async () => {
      const { letters } = await queue.stats();
      await queue.close();
      rmSync(folder, { recursive: true });
      if (letters !== added) throw new Error(`${added} letters were accepted, and ${letters} are there`);
    },
  };
}

async function openFiles(run: Run): Promise<Contender> {
  const folder = mkdtempSync(join(tmpdir(), 'busbar-bench-'));
  await mkdir(folder, { recursive: true });
  let made = 0;
  return {
    measure: () =>
      perSecond(FILES_AT_ONCE, run, async () => {
        const file = await open(join(folder, `letter_${made++}.json`), 'wx', 0o600);
        await file.writeFile(JSON.stringify({ ...REPORT, message: { payload: PAYLOAD } }));
        await file.datasync();
        await file.close();
      }),
    close: async () => rmSync(folder, { recursive: true }),
  };
}

/** So many at the same time, until the slice is over and all are done. */
async function perSecond(inflight: number, { sliceMs }: Run, one: () => Promise<void>): Promise<number> {
  const began = performance.now();
  let done = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() - began < sliceMs) {
      await one();
      done++;
    }
  };
  await Promise.all(Array.from({ length: inflight }, lane));
  return (done / (performance.now() - began)) * 1000;
}
