// Demo handler that takes its time, so that a burst overflows its queue.
import { defineHandler } from '../../src/shared/handler.js';

const BUSY_MS = 2;

export default defineHandler<number>(import.meta.url, () => {
  const end = performance.now() + BUSY_MS;
  while (performance.now() < end);
});
