// An error report as bytes, in the history that the logging worker keeps.
import { CompactReader } from '../../src/shared/compact-reader.js';
import { CompactWriter } from '../../src/shared/compact-writer.js';
import { createRedactor } from '../../src/shared/redact.js';
import type { ErrorReport } from '../../src/shared/report.js';
import { asBuffer } from '../../src/shared/views.js';

const writer = new CompactWriter();
const reader = new CompactReader();
const redactor = createRedactor();

/**
 * In memory that the next call writes again. Takes half as long as JSON. Never throws: of a report that has more than
 * plain data, such as cycles, instances, or getters that throw, a plain copy is written.
 */
export function encodeReport(report: ErrorReport): Uint8Array {
  try {
    const bytes = writer.write(report);
    if (bytes !== undefined) return bytes;
  } catch {
    // The copy says what was thrown.
  }
  return writer.write(redactor.value(report)) as Uint8Array;
}

/** Shares nothing with the bytes. */
export function decodeReport(bytes: Uint8Array): ErrorReport {
  return reader.read(asBuffer(bytes)) as ErrorReport;
}
