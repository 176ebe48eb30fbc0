// The hash of keys: spreads them over lanes, and over the slots of what is parked.

/** FNV-1a (Fowler, Noll, Vo) over UTF-16 units, with the finaliser of MurmurHash3 (Appleby) for the low bits; 32 bits. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return hash >>> 0;
}
