// Where a folder really lies: two names of one folder must not count as two.
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** With what links lead to in place of their names, as far as the path exists. Runs on the main thread. */
export function realPath(path: string): string {
  const whole = resolve(path);
  try {
    return realpathSync(whole);
  } catch {
    const parent = dirname(whole);
    return parent === whole ? whole : join(realPath(parent), basename(whole));
  }
}
