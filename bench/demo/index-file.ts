// Demo handler, on lane workers: reads a file, digests and compresses it, and parses it strictly if it is JSON.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';
import { deadLetter, defineHandler } from '../../src/shared/handler.js';

/** One file to index. */
export interface FileToIndex {
  readonly path: string;
}

/** What became of it. */
export interface IndexedFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Compressed size by size, from 0 to about 1. */
  readonly ratio: number;
}

/** Compression is the demo's CPU-heavy part; beyond this, the rest of a file would tell nothing new. */
const MOST_COMPRESSED_BYTES = 256 * 1024;

export default defineHandler<FileToIndex>(import.meta.url, ({ path }, ctx) => {
  const content = readFileSync(path);
  if (path.endsWith('.json')) assertJson(path, content);
  const start = content.subarray(0, MOST_COMPRESSED_BYTES);
  const compressed = brotliCompressSync(start, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  const indexed: IndexedFile = {
    path,
    bytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    ratio: start.length === 0 ? 1 : compressed.length / start.length,
  };
  ctx.publish('file.indexed', indexed);
});

/** Trying again would not mend the file, so it goes straight to the dead letters. */
function assertJson(path: string, content: Buffer): void {
  try {
    JSON.parse(content.toString('utf8'));
  } catch (error) {
    throw deadLetter(`${path} is not valid JSON: ${(error as Error).message}`);
  }
}
