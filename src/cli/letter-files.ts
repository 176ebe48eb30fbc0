// The dead letters of a stopped bus, counted from its files alone: nothing is locked, so that nothing keeps the bus from starting.
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { LETTER_FILE, LETTER_FORMAT } from '../shared/letter-text.js';

const LETTER = new RegExp(`^\\{"crc":"[0-9a-f]{8}","format":${LETTER_FORMAT},"error_id":"([\\w-]+)"`);
const REMOVAL = `"format":${LETTER_FORMAT},"state":"removed"`;
/** More would take longer than a look at health may. */
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * Letters in the folder, archived ones included; null: too many bytes to be read for this.
 *
 * @throws what the disk throws
 */
export async function countLetters(folder: string): Promise<number | null> {
  const letterFolder = join(folder, 'dead_letter');
  const files = readdirSync(letterFolder)
    .filter((name) => LETTER_FILE.test(name))
    .sort()
    .map((name) => join(letterFolder, name));
  const bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  if (bytes > MOST_BYTES) return null;
  const ids = new Set<string>();
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      const id = LETTER.exec(line)?.[1];
      if (id !== undefined) ids.add(id);
      else if (line.includes(REMOVAL)) for (const removed of idsOf(line)) ids.delete(removed);
    }
  }
  return ids.size;
}

/** Of a line that changes letters; none of one that is damaged. */
function idsOf(line: string): readonly string[] {
  try {
    const { error_ids: ids } = JSON.parse(line) as { error_ids?: unknown };
    return Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : [];
  } catch {
    return [];
  }
}
