// Which lane a key belongs to.

/**
 * The same lane for the same key, as long as the number of lanes is the same.
 * FNV-1a (Fowler, Noll, Vo) over UTF-16 units, with the finaliser of MurmurHash3 (Appleby) for the low bits.
 */
export function laneOfKey(key: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) % lanes;
}
