// A log folder as a process leaves it, small and made once: what is then damaged in many ways.
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DeadLetterQueue, ErrorLogger, type ErrorReport } from '../../src/index.js';

export interface Pristine {
  readonly folder: string;
  /** Lines of letters by their error_id, as bytes, without the line's end. */
  readonly lines: ReadonlyMap<string, Buffer>;
  readonly payloads: ReadonlyMap<string, unknown>;
}

const report: ErrorReport = {
  error_id: 'r',
  timestamp: 1_700_000_000,
  category: 'timeout_error',
  severity: 'high',
  component: 'damage',
  message: 'too late',
  exception_type: 'TimeoutError',
  traceback: null,
  context: { signature: 'v1:d', subscriber_id: 's', pattern: 'a' },
  recovery_attempted: false,
  recovery_successful: false,
  retry_count: 0,
};

/** Three segments with a few letters each, an error log, and metrics. */
export async function makePristine(folder: string): Promise<Pristine> {
  for (let segment = 0; segment < 3; segment++) {
    const logger = new ErrorLogger({ logDir: folder });
    const queue = new DeadLetterQueue({ storageDir: join(folder, 'dead_letter') });
    for (let n = 0; n < 4; n++) {
      const payload = n % 2 === 0 ? { segment, n, text: 'x'.repeat(n * 40) } : Buffer.from([segment, n, 10, 34]);
      await queue.addMessage({ topic: `a.${n}`, payload, headers: { '{"crc":"': '"crc"' } }, report);
      logger.logError({ ...report, message: `error ${n}` });
    }
    await queue.close();
    await logger.close();
  }
  const queue = new DeadLetterQueue({ storageDir: join(folder, 'dead_letter') });
  const payloads = new Map((await queue.getMessages()).map(({ error_id: id, message }) => [id, message.payload]));
  await queue.close();
  const lines = new Map<string, Buffer>();
  for (const name of readdirSync(join(folder, 'dead_letter'))) {
    for (const line of readFileSync(join(folder, 'dead_letter', name), 'utf8')
      .split('\n')
      .slice(0, -1)) {
      const { error_id: id } = JSON.parse(line) as { error_id?: string };
      if (id !== undefined) lines.set(id, Buffer.from(line));
    }
  }
  return { folder, lines, payloads };
}

/** A fresh copy of it in `target`. */
export function copyOf({ folder }: Pristine, target: string): void {
  rmSync(target, { recursive: true, force: true });
  cpSync(folder, target, { recursive: true });
}
