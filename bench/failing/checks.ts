// What a failure costs on its thread without its stack, and what a breaker costs a call that does not fail.
import { SharedBreaker } from '../../src/shared/breaker.js';
import { classifyError } from '../../src/shared/classify.js';
import { systemClock } from '../../src/shared/clock.js';
import { toErrorRecord } from '../../src/shared/error-record.js';
import { createRedactor } from '../../src/shared/redact.js';
import { type Figure, median } from './figure.js';

const SAMPLES = 15;

const coded = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`failed with ${code}`), { code, ...more });

/** As they come: most are plain, some have codes, causes, members or a status. */
const ERRORS: readonly unknown[] = [
  new Error('cannot read the frame'),
  new TypeError("Cannot read properties of undefined (reading 'pixels')"),
  coded('ECONNREFUSED', { syscall: 'connect', address: '127.0.0.1', port: 5432 }),
  new TypeError('fetch failed', { cause: coded('ECONNRESET') }),
  Object.assign(new Error('Service Unavailable'), { status: 503 }),
  new DOMException('too slow', 'TimeoutError'),
  new AggregateError([coded('ECONNREFUSED'), coded('ETIMEDOUT')], 'all failed'),
  'just a text',
];

/** @param ms for each sample */
export function checks(ms = 20): Figure[] {
  const breaker = new SharedBreaker(SharedBreaker.allocate(), systemClock);
  const redactor = createRedactor();
  let admitted = 0;
  const figures: Figure[] = [
    {
      name: 'classifying an error',
      value: nanoseconds(ms, ERRORS.length, () => {
        for (const error of ERRORS) admitted += classifyError(error).category.length;
      }),
      unit: 'ns',
      atMost: 2000,
    },
    {
      name: 'its record, redacted, without the stack',
      value: nanoseconds(ms, ERRORS.length, () => {
        for (const error of ERRORS) admitted += toErrorRecord(error, redactor, { stack: false }).message.length;
      }),
      unit: 'ns',
    },
    {
      name: 'asking a closed breaker',
      value: nanoseconds(ms, 100, () => {
        for (let n = 0; n < 100; n++) if (breaker.admits()) admitted++;
      }),
      unit: 'ns',
      atMost: 50,
    },
    {
      name: 'entering a closed breaker and succeeding',
      value: nanoseconds(ms, 100, () => {
        for (let n = 0; n < 100; n++) {
          const permit = breaker.enter();
          if (permit !== undefined) breaker.success(permit);
        }
      }),
      unit: 'ns',
      atMost: 50,
    },
  ];
  if (admitted === 0) throw new Error('nothing was measured');
  return figures;
}

/** The median cost of one of the `each` things that `run` does. */
function nanoseconds(ms: number, each: number, run: () => void): number {
  const samples = Array.from({ length: SAMPLES + 1 }, () => {
    const started = systemClock.elapsed();
    let runs = 0;
    while (systemClock.elapsed() - started < ms) {
      for (let n = 0; n < 100; n++) run();
      runs += 100;
    }
    return ((systemClock.elapsed() - started) * 1e6) / (runs * each);
  });
  // The first one is the warm-up.
  return median(samples.slice(1));
}
