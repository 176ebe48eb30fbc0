// Writes error reports into the report ring: as they come into its memory, and their text at once for as many as go together.
import { TextKind } from '../shared/compact-format.js';
import { CompactWriter, isLatin1 } from '../shared/compact-writer.js';
import { aligned } from '../shared/layout.js';
import { LogRecord } from '../shared/logging-task.js';
import { createRedactor } from '../shared/redact.js';
import type { ErrorReport } from '../shared/report.js';
import {
  BATCH_HEADER_BYTES,
  CATEGORIES,
  CONTEXT_AS_VALUE,
  FIELD_NAMES,
  Flag,
  MOST_FIELDS,
  OTHER_NAME,
  REPORT_HEADER_BYTES,
  SEVERITIES,
  Value,
} from '../shared/report-layout.js';
import type { RingWriter } from '../shared/ring.js';
import { asBuffer } from '../shared/views.js';

/** Reports that go together at the most. */
const MOST_REPORTS = 16;
/** Room that is asked for before it is known how much is needed. */
const USUAL_BYTES = 32 * 1024;
/** The numbers of one report take less. */
const MOST_NUMBER_BYTES = 512;

const INDEX_OF = new Map(FIELD_NAMES.map((name, index) => [name, index]));

/** Belongs to one ring, whose only writer it is. Runs on the main thread. */
export class ReportBatch {
  readonly #ring: RingWriter;
  readonly #bytes: Buffer;
  readonly #usualBytes: number;
  readonly #compact = new CompactWriter();
  readonly #redactor = createRedactor();
  /** Where the record begins and ends that is being written, in the ring's memory. */
  #start = 0;
  #end = 0;
  /** Where the next number goes. */
  #at = 0;
  #text = '';
  #count = 0;
  #isBusy = false;
  /** The last one that was refused would find no room in an empty ring either. */
  wasTooLarge = false;
  /** Of the context before, and their indices: most contexts have the same ones in the same order. */
  readonly #names: string[] = new Array(MOST_FIELDS).fill('');
  readonly #indices: number[] = new Array(MOST_FIELDS).fill(OTHER_NAME);

  constructor(ring: RingWriter) {
    this.#ring = ring;
    this.#bytes = ring.bytes;
    this.#usualBytes = Math.min(USUAL_BYTES, ring.largestRecord);
  }

  /** True when no further report can go with those that wait for {@link send}. */
  get isFull(): boolean {
    return this.#count === MOST_REPORTS;
  }

  /**
   * Takes all that the report says; what is not plain data, such as cycles, instances, or getters that throw, as a plain
   * copy. False: there is no room. Never throws.
   */
  add(report: ErrorReport, isRedacted: boolean): boolean {
    this.wasTooLarge = false;
    // A getter may come back here while its own report is being written.
    if (this.#isBusy) return false;
    this.#isBusy = true;
    try {
      return this.#add(report, isRedacted);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Hands over what was added. True: there was something. */
  send(): boolean {
    if (this.#count === 0) return false;
    const { bytes, words } = this.#ring;
    const text = this.#text;
    let kind: number = TextKind.LATIN1;
    // Less than the room there is, and enough to see what is not ASCII: that takes more bytes than it has characters.
    let length = bytes.write(text, this.#at, text.length + 4, 'utf8');
    if (length !== text.length) {
      kind = isLatin1(text) ? TextKind.LATIN1 : TextKind.UTF16;
      length = bytes.write(text, this.#at, kind === TextKind.LATIN1 ? 'latin1' : 'utf16le');
    }
    words[this.#start >> 2] = this.#at - this.#start;
    words[(this.#start >> 2) + 1] = this.#count | (kind << 8);
    this.#ring.shrink(this.#at + length - this.#start);
    this.#ring.commit(LogRecord.REPORTS);
    this.#text = '';
    this.#count = 0;
    return true;
  }

  #add(report: ErrorReport, isRedacted: boolean): boolean {
    if (this.isFull || !this.#hasRoom()) this.send();
    for (let needed = this.#usualBytes; ; ) {
      if (this.#count === 0 && !this.#begin(needed)) return false;
      const at = this.#at;
      const text = this.#text;
      this.#write(report, isRedacted);
      if (this.#hasRoom() || (this.#count === 0 && this.#hasRoomAlone())) {
        this.#count++;
        return true;
      }
      needed = this.#count === 0 && isLatin1(this.#text) ? this.#neededAsLatin1 : this.#needed;
      this.#at = at;
      this.#text = text;
      // Behind others it had no room; by itself it is larger than usual.
      if (this.send()) needed = this.#usualBytes;
    }
  }

  #begin(bytes: number): boolean {
    this.wasTooLarge = bytes > this.#ring.largestRecord;
    const start = this.wasTooLarge ? -1 : this.#ring.claim(bytes);
    if (start < 0) return false;
    this.#start = start;
    this.#end = start + bytes;
    this.#at = start + BATCH_HEADER_BYTES;
    return true;
  }

  /** With the numbers of one report more, and two bytes for each character. */
  get #needed(): number {
    return this.#neededAsLatin1 + this.#text.length;
  }

  get #neededAsLatin1(): number {
    return this.#at + MOST_NUMBER_BYTES + this.#text.length - this.#start;
  }

  #hasRoom(): boolean {
    return this.#start + this.#needed <= this.#end;
  }

  /** None is put behind it: that could need two bytes for each character of both. */
  #hasRoomAlone(): boolean {
    return this.#start + this.#neededAsLatin1 <= this.#end && isLatin1(this.#text);
  }

  #write(report: ErrorReport, isRedacted: boolean): void {
    const { bytes, words, doubles } = this.#ring;
    const start = this.#at;
    const textBefore = this.#text.length;
    const { traceback } = report;
    this.#at += REPORT_HEADER_BYTES;
    this.#string(report.error_id);
    this.#string(report.component);
    this.#string(report.message);
    this.#string(report.exception_type);
    if (traceback !== null) this.#string(traceback);
    bytes[start + 23] = this.#context(report.context);
    doubles[start >> 3] = report.timestamp;
    doubles[(start >> 3) + 1] = report.retry_count;
    words[(start >> 2) + 4] = this.#text.length - textBefore;
    bytes[start + 20] =
      (report.recovery_attempted ? Flag.RECOVERY_ATTEMPTED : 0) |
      (report.recovery_successful ? Flag.RECOVERY_SUCCESSFUL : 0) |
      (isRedacted ? Flag.IS_REDACTED : 0) |
      (traceback === null ? 0 : Flag.HAS_TRACEBACK);
    bytes[start + 21] = CATEGORIES.indexOf(report.category);
    bytes[start + 22] = SEVERITIES.indexOf(report.severity);
    this.#at = aligned(this.#at);
  }

  /** Returns how many fields it has. */
  #context(context: ErrorReport['context']): number {
    const at = this.#at;
    const text = this.#text;
    try {
      if (isPlain(context)) {
        let count = 0;
        for (const name in context) {
          if (count === MOST_FIELDS) return this.#whole(context, at, text);
          this.#field(count++, name, context[name]);
        }
        return count;
      }
    } catch {
      // The copy says what was thrown.
    }
    return this.#whole(context, at, text);
  }

  /** Instead of the fields that were written from `at` on. */
  #whole(context: ErrorReport['context'], at: number, text: string): number {
    this.#at = at;
    this.#text = text;
    this.#value(context);
    return CONTEXT_AS_VALUE;
  }

  /** @param place among the fields of its context */
  #field(place: number, name: string, value: unknown): void {
    if (this.#names[place] !== name) {
      this.#names[place] = name;
      this.#indices[place] = INDEX_OF.get(name) ?? OTHER_NAME;
    }
    const index = this.#indices[place] as number;
    if (typeof value === 'string' && index !== OTHER_NAME) {
      this.#byte(index);
      this.#string(value);
      return;
    }
    this.#byte(OTHER_NAME);
    this.#string(name);
    this.#value(value);
  }

  #value(value: unknown): void {
    switch (typeof value) {
      case 'string':
        this.#byte(Value.STRING);
        this.#string(value);
        return;
      case 'number':
        this.#byte(Value.NUMBER);
        this.#string(String(value));
        return;
      case 'boolean':
        this.#byte(value ? Value.TRUE : Value.FALSE);
        return;
      case 'undefined':
        this.#byte(Value.UNDEFINED);
        return;
      default:
        if (value === null) this.#byte(Value.NULL);
        else this.#compactValue(value);
    }
  }

  #compactValue(value: unknown): void {
    const bytes = this.#compactBytes(value) ?? this.#compact.write(this.#redactor.value(value));
    // Not even the copy: somebody gave Object.prototype keys.
    if (bytes === undefined) {
      this.#value('[unreadable]');
      return;
    }
    this.#byte(Value.COMPACT);
    this.#string(asBuffer(bytes).toString('latin1'));
  }

  #compactBytes(value: unknown): Uint8Array | undefined {
    try {
      return this.#compact.write(value);
    } catch {
      // The copy says what was thrown.
      return undefined;
    }
  }

  #string(text: string): void {
    this.#text += text;
    let at = this.#at;
    let length = text.length;
    while (length > 127) {
      this.#bytes[at++] = (length & 127) | 128;
      length >>>= 7;
    }
    this.#bytes[at] = length;
    this.#at = at + 1;
  }

  #byte(byte: number): void {
    this.#bytes[this.#at++] = byte;
  }
}

function isPlain(context: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(context);
  return prototype === Object.prototype || prototype === null;
}
