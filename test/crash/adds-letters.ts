// Adds dead letters until it is killed; tells each one that was accepted. Run by the crash test.
import { DeadLetterQueue, type ErrorReport } from '../../src/index.js';
import { tell } from './tell.js';

const [, , folder = '', prefix = ''] = process.argv;
const SIDE_BY_SIDE = 64;

const report: ErrorReport = {
  error_id: 'r',
  timestamp: Date.now() / 1000,
  category: 'message_processing_error',
  severity: 'medium',
  component: 'crash',
  message: 'given up',
  exception_type: 'Error',
  traceback: null,
  context: { signature: 'v1:crash', subscriber_id: 's', pattern: 'crash.*' },
  recovery_attempted: false,
  recovery_successful: false,
  retry_count: 0,
};

const queue = new DeadLetterQueue({ storageDir: folder });
let next = 0;
const adder = async (): Promise<void> => {
  for (;;) {
    const n = next++;
    const payload = { n: `${prefix}-${n}`, fill: 'x'.repeat((n * 37) % 2000) };
    const id = await queue.addMessage({ topic: 'crash.letter', payload }, report);
    // Synchronously, so that nothing is told later than a kill.
    tell(`${id} ${payload.n}\n`);
  }
};
await Promise.all(Array.from({ length: SIDE_BY_SIDE }, adder));
