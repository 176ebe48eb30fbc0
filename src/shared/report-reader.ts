// Reads the error reports in a record of the report ring.
import { TextKind } from './compact-format.js';
import { CompactReader } from './compact-reader.js';
import { aligned } from './layout.js';
import type { ErrorReport } from './report.js';
import {
  BATCH_HEADER_BYTES,
  CATEGORIES,
  CONTEXT_AS_VALUE,
  FIELD_NAMES,
  Flag,
  OTHER_NAME,
  REPORT_HEADER_BYTES,
  SEVERITIES,
  Value,
} from './report-layout.js';

const compact = new CompactReader();

export interface ReadReport {
  readonly report: ErrorReport;
  /** False: a program's own, with the secrets it may have. */
  readonly isRedacted: boolean;
}

/** The reports of one record, in the order they were added; they share nothing with its memory. */
export function readReports(record: Buffer): ReadReport[] {
  return new BatchReader(record).read();
}

class BatchReader {
  readonly #bytes: Buffer;
  readonly #bytesEach: number;
  #at = BATCH_HEADER_BYTES;
  /** Where the text of the next report begins. */
  #textStart: number;
  /** Of the report that is being read. */
  #text = '';
  #textAt = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#textStart = bytes.readUInt32LE(0);
    this.#bytesEach = bytes[5] === TextKind.LATIN1 ? 1 : 2;
  }

  read(): ReadReport[] {
    const reports: ReadReport[] = [];
    for (let left = this.#bytes[4] as number; left > 0; left--) reports.push(this.#report());
    return reports;
  }

  #report(): ReadReport {
    const bytes = this.#bytes;
    const start = this.#at;
    // Apart for each report: whoever keeps a part of its text keeps no other's.
    this.#beginText(bytes.readUInt32LE(start + 16));
    const flags = bytes[start + 20] as number;
    const fields = bytes[start + 23] as number;
    this.#at += REPORT_HEADER_BYTES;
    const error_id = this.#string();
    const component = this.#string();
    const message = this.#string();
    const exception_type = this.#string();
    const report: ErrorReport = {
      error_id,
      timestamp: bytes.readDoubleLE(start),
      category: CATEGORIES[bytes[start + 21] as number] as ErrorReport['category'],
      severity: SEVERITIES[bytes[start + 22] as number] as ErrorReport['severity'],
      component,
      message,
      exception_type,
      traceback: flags & Flag.HAS_TRACEBACK ? this.#string() : null,
      context: fields === CONTEXT_AS_VALUE ? (this.#value() as ErrorReport['context']) : this.#context(fields),
      recovery_attempted: (flags & Flag.RECOVERY_ATTEMPTED) !== 0,
      recovery_successful: (flags & Flag.RECOVERY_SUCCESSFUL) !== 0,
      retry_count: bytes.readDoubleLE(start + 8),
    };
    this.#at = aligned(this.#at);
    return { report, isRedacted: (flags & Flag.IS_REDACTED) !== 0 };
  }

  #beginText(length: number): void {
    const end = this.#textStart + length * this.#bytesEach;
    this.#text = this.#bytes.toString(this.#bytesEach === 1 ? 'latin1' : 'utf16le', this.#textStart, end);
    this.#textStart = end;
    this.#textAt = 0;
  }

  #context(fields: number): ErrorReport['context'] {
    const context: ErrorReport['context'] = {};
    for (let left = fields; left > 0; left--) {
      const index = this.#byte();
      const name = index === OTHER_NAME ? this.#string() : (FIELD_NAMES[index] as string);
      const value = index === OTHER_NAME ? this.#value() : this.#string();
      if (name === '__proto__')
        Object.defineProperty(context, name, { value, enumerable: true, configurable: true, writable: true });
      else context[name] = value;
    }
    return context;
  }

  #value(): unknown {
    const kind = this.#byte();
    switch (kind) {
      case Value.STRING:
        return this.#string();
      case Value.NUMBER:
        return Number(this.#string());
      case Value.TRUE:
        return true;
      case Value.FALSE:
        return false;
      case Value.NULL:
        return null;
      case Value.UNDEFINED:
        return undefined;
      case Value.COMPACT:
        return compact.read(Buffer.from(this.#string(), 'latin1'));
      default:
        throw new RangeError(`a report has a value of kind ${kind}`);
    }
  }

  #string(): string {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#byte();
      length |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const from = this.#textAt;
    this.#textAt += length;
    return this.#text.substring(from, this.#textAt);
  }

  #byte(): number {
    return this.#bytes[this.#at++] as number;
  }
}
