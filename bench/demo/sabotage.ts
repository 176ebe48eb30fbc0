// Demo handler that misbehaves as it is told, until its cause is mended.
import { existsSync } from 'node:fs';
import { defineHandler } from '../../src/shared/handler.js';

/** What to do, unless the file `mended` is there. */
export interface Sabotage {
  readonly kind: 'loop for ever' | 'exit the thread' | 'fill the memory';
  readonly mended: string;
}

export default defineHandler<Sabotage>(import.meta.url, ({ kind, mended }) => {
  if (existsSync(mended)) return 'behaved';
  const hoard: unknown[] = [];
  switch (kind) {
    case 'loop for ever':
      for (;;);
    case 'exit the thread':
      return process.exit(1);
    default:
      for (;;) hoard.push(new Array<number>(1_000_000).fill(0.5));
  }
});
