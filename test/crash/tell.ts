// Tells the crash test something, at once: before this returns, the text survives a kill of this process.
import { writeSync } from 'node:fs';

/** Standard output is a pipe, and full while the other side is slow. */
export function tell(text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EAGAIN') throw error;
    }
  }
}
