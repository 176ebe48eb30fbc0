// What the index reads off the beginning of a letter's line, against what JSON says of the whole line.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { encodePayload } from '../../src/shared/codec.js';
import type { LetterHeader } from '../../src/shared/logging-task.js';
import { headOf } from '../../workers/logging/letter-head.js';
import { beginHanded, endHanded, handedLetter } from '../../workers/logging/letter-line.js';
import { LineBatch } from '../../workers/logging/line-batch.js';
import { isSealed } from '../../workers/logging/sealed-line.js';
import { anyText } from '../payloads.js';

const text = fc.oneof(
  anyText(40),
  fc.constantFrom(
    'V1StGXR8_Z5jdHi6B-myT',
    'a.b',
    '","timestamp":',
    ',"message":{"id":"',
    '\\',
    '"',
    'ä\n',
    '',
    'x'.repeat(700),
  ),
);
const headers = fc.record({
  error_id: text,
  timestamp: fc.double({ noNaN: true, noDefaultInfinity: true }),
  error_category: fc.constantFrom('timeout_error' as const, 'connection_error' as const),
  retry_count: fc.nat(),
  reason: fc.constantFrom('poison' as const, 'manual' as const),
  signature: text,
  topic: text,
  subscriber_id: text,
  pattern: text,
  message_id: text,
});

describe("a letter's line", () => {
  it('gives the index what JSON says, whatever stands in its texts', () => {
    const batch = new LineBatch();
    fc.assert(
      fc.property(headers, fc.jsonValue(), (fields, payload) => {
        const { message_id, ...its } = fields;
        const { topic } = its;
        const common = { topic, key: null, priority: 'normal' as const, headers: null };
        const encoded = encodePayload(payload);
        const header: LetterHeader = {
          ...its,
          ...common,
          message: { id: message_id, ...common, published_at: 1 },
          payload_codec: encoded.codec,
          ...{ started: 1, failed: 1, history: [], error: { name: 'Error', message: topic } },
        };
        const letter = handedLetter(header, encoded.bytes);
        batch.clear();
        beginHanded(batch, letter);
        const early = headOf(batch.memory, batch.lineStart, batch.end);
        endHanded(batch, letter);
        const { bytes } = batch;
        expect(isSealed(bytes, 0, bytes.length - 1)).toBe(true);
        const { crc: _crc, ...line } = JSON.parse(bytes.toString('utf8'));
        expect(line).toMatchObject(JSON.parse(JSON.stringify(its)));
        const { error_id, timestamp, retry_count, ...names } = its;
        const head = headOf(bytes, 0, bytes.length - 1);
        expect(head).toEqual(early);
        expect(head).toMatchObject({ error_id: line.error_id, timestamp: line.timestamp, message_id: line.message.id });
        expect(head?.traits).toEqual({ ...JSON.parse(JSON.stringify(names)), retry_count, ...FRESH });
        expect(head?.error_id).toBe(error_id);
        expect(Object.is(timestamp, -0) ? 0 : head?.timestamp).toBe(Object.is(timestamp, -0) ? 0 : timestamp);
      }),
      { numRuns: 150 },
    );
  });

  it('is refused when its seal is good and its fields are not', () => {
    const batch = new LineBatch();
    for (const rest of ['"format":1}', '"format":1,"error_id":"x","timestamp":1}', '"format":2,"error_id":"x"}']) {
      batch.clear().begin();
      batch.text(rest);
      batch.seal();
      expect(isSealed(batch.bytes, 0, batch.end - 1)).toBe(true);
      expect(headOf(batch.bytes, 0, batch.end - 1)).toBeUndefined();
    }
  });
});

const FRESH = { state: 'dead', replays: 0, replay_failures: 0, edits: 0 };
