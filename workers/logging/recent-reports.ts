// The last reports, to be asked for: packed in blocks, for a thousand of them would take a megabyte as they come.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { ErrorReport } from '../../src/shared/report.js';
import { asBuffer } from '../../src/shared/views.js';
import { decodeReport, encodeReport } from './report-record.js';

const MOST = 1000;
const IN_BLOCK = 50;
/** The fastest: what reports have in common is found all the same. */
const LEVEL = 1;
const LENGTH_BYTES = 4;

/** Belongs to the logging worker. */
export class RecentReports {
  /** Of {@link IN_BLOCK} reports each, oldest first. */
  readonly #blocks: Uint8Array[] = [];
  /** Newer than those in blocks, oldest first; see {@link textOf}. */
  #fresh: string[] = [];

  add(report: ErrorReport): void {
    this.#fresh.push(textOf(report));
    if (this.#fresh.length > MOST) this.#fresh.shift();
  }

  /** Packs what has come; a storm is left until it has passed, for most of it will have been forgotten. */
  pack(): void {
    const whole = Math.floor(this.#fresh.length / IN_BLOCK) * IN_BLOCK;
    for (let start = 0; start < whole; start += IN_BLOCK) {
      this.#blocks.push(packed(this.#fresh.slice(start, start + IN_BLOCK)));
    }
    this.#fresh = this.#fresh.slice(whole);
    while ((this.#blocks.length - 1) * IN_BLOCK + this.#fresh.length >= MOST) this.#blocks.shift();
  }

  /** The newest first, up to 1000. */
  *newestFirst(): Generator<ErrorReport> {
    let left = MOST;
    for (const text of this.#fresh.toReversed()) {
      if (left-- === 0) return;
      yield decodeReport(Buffer.from(text, 'latin1'));
    }
    for (const block of this.#blocks.toReversed()) {
      for (const record of unpacked(block).reverse()) {
        if (left-- === 0) return;
        yield decodeReport(record);
      }
    }
  }
}

/** Its bytes as characters: as a buffer it would share pooled memory with what is written to the log meanwhile, and keep that. */
function textOf(report: ErrorReport): string {
  return asBuffer(encodeReport(report)).toString('latin1');
}

function packed(texts: readonly string[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + LENGTH_BYTES + text.length, 0));
  let at = 0;
  for (const text of texts) {
    at = bytes.writeUInt32LE(text.length, at);
    at += bytes.write(text, at, 'latin1');
  }
  // A copy: the result lies in a larger buffer.
  return new Uint8Array(deflateRawSync(bytes, { level: LEVEL }));
}

function unpacked(block: Uint8Array): Buffer[] {
  const bytes = inflateRawSync(block);
  const records: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + LENGTH_BYTES + bytes.readUInt32LE(at);
    records.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return records;
}
