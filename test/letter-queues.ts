// Dead-letter queues for tests: closed afterwards.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { DeadLetterQueue, type DeadLetterQueueOptions, type ErrorReport } from '../src/index.js';
import { reportOf } from './reports.js';
import { makeFolder } from './test-bus.js';

const queues: DeadLetterQueue[] = [];
afterEach(async () => {
  for (const queue of queues.splice(0)) await queue.close();
});

/** Closed after the test. */
export function queueOn(storageDir: string, options: Partial<DeadLetterQueueOptions> = {}): DeadLetterQueue {
  const queue = new DeadLetterQueue({ storageDir, ...options });
  queues.push(queue);
  return queue;
}

/** A queue that all tests of a file share; each finds it empty. `parent` holds its folder `q`, and nothing else. */
export function shareQueue(): { readonly parent: string; readonly folder: string; readonly queue: DeadLetterQueue } {
  const parent = makeFolder();
  const folder = join(parent, 'q');
  let queue: DeadLetterQueue;
  beforeAll(() => {
    queue = new DeadLetterQueue({ storageDir: folder });
  });
  afterEach(() => queue.clear());
  afterAll(async () => {
    await queue.close();
    rmSync(parent, { recursive: true, force: true });
  });
  return {
    parent,
    folder,
    get queue() {
      return queue;
    },
  };
}

export const REPORT: ErrorReport = reportOf({
  error_id: 'r',
  timestamp: 1_700_000_000,
  context: { signature: 'v1:s', subscriber_id: 'sub', pattern: 'a.*' },
  recovery_attempted: false,
  retry_count: 2,
});

export function segmentsOf(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /^dlq_.*\.json$/.test(name))
    .map((name) => join(folder, name));
}

/** Closes the queue before the test is over. */
export async function closed(queue: DeadLetterQueue): Promise<void> {
  queues.splice(queues.indexOf(queue), 1);
  await queue.close();
}
