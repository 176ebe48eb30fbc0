// The hash of texts: spreads keys over lanes and partitions, streams over the slots of what is parked, ids over an index.

const FNV_OFFSET = 0x811c9dc5;

/**
 * FNV-1a (Fowler, Noll, Vo) over UTF-16 units, with the finaliser of MurmurHash3 (Appleby) for the low bits; 32 bits.
 *
 * @param offset another one gives a hash that is independent of this
 */
export function hashOf(text: string, offset = FNV_OFFSET): number {
  let hash = offset;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}

/** The same, another one for each seed. */
export function seededHashOf(text: string, seed: number): number {
  return hashOf(text, FNV_OFFSET ^ seed);
}
