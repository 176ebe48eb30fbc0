// A handler that ends its thread when the payload names a file, into which it writes when; else it says when it began.
import { appendFileSync } from 'node:fs';
import { systemClock } from '../../src/shared/clock.js';
import { defineHandler } from '../../src/shared/handler.js';

export default defineHandler<string, number>(import.meta.url, (file) => {
  const now = systemClock.elapsed();
  if (file === '') return now;
  appendFileSync(file, `${systemClock.elapsed()}\n`);
  return process.exit(1);
});
