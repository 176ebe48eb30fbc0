// A whole record into a ring at once, as tests write them.
import type { RingWriter } from '../src/shared/ring.js';

/**
 * False: the ring is full, and nothing was written.
 *
 * @param commit how it is given out
 */
export function writeRecord(
  writer: RingWriter,
  kind: number,
  content: Uint8Array,
  commit: 'commit' | 'commitInOrder' = 'commit',
): boolean {
  const offset = writer.claim(content.length);
  if (offset < 0) return false;
  writer.bytes.set(content, offset);
  writer[commit](kind);
  return true;
}
