// Which lane a key belongs to.
import { hashOf } from '../shared/key-hash.js';

/** The same lane for the same key, as long as the number of lanes is the same. */
export function laneOfKey(key: string, lanes: number): number {
  return hashOf(key) % lanes;
}
