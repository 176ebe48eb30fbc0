// The text of a letter's line is put together by hand: it says what JSON would say, whatever is in it.
import { expect, it } from '@jest/globals';
import {
  FRESH,
  letterRecordBytes,
  letterText,
  readLetterRecord,
  writeLetterRecord,
} from '../src/shared/letter-text.js';
import type { LetterHeader } from '../src/shared/logging-task.js';
import { Codec } from '../src/shared/message.js';
import { allocateRing, RingReader, RingWriter } from '../src/shared/ring.js';
import { memoryInUse } from './heap.js';

const TEXTS = ['', 'plain-1.>', 'a "quoted\\ one', 'line\nbreak\u0000\u007f', 'é', 'ключ 👋', 'lone \ud800', '}{,:[]'];

function letterOf(text: string, more: Partial<LetterHeader> = {}): LetterHeader {
  return {
    error_id: `id-${text}`,
    timestamp: 1_700_000_000.25,
    message: { id: text, topic: text, key: text, priority: 'high', headers: { [text]: text }, published_at: 0.1 },
    payload_codec: Codec.JSON,
    error_category: 'timeout_error',
    retry_count: 2,
    reason: 'poison',
    signature: text,
    topic: text,
    subscriber_id: text,
    pattern: text,
    priority: 'high',
    key: null,
    headers: null,
    started: 1e21,
    failed: 3,
    history: [
      { category: 'timeout_error', signature: text, count: 2, first: 1, last: 2.5 },
      { category: 'connection_error', signature: 'v1:x', count: 1, first: 3, last: 3 },
    ],
    error: { name: text, message: text, stack: text, cause: { name: 'Error', message: text } },
    ...more,
  };
}

it.each(TEXTS)('as JSON, with %j everywhere, and the same behind the ring', (text) => {
  for (const letter of [letterOf(text), letterOf(text, { history: [], timestamp: Number.NaN })]) {
    const { head, tail } = letterText(letter, { ...FRESH, edits: 7 });
    const { payload_codec: _codec, ...fields } = letter;
    const said = JSON.parse(`{${head}"the payload"${tail}"json"}`);
    expect(said).toEqual(
      JSON.parse(
        JSON.stringify({
          ...fields,
          ...FRESH,
          edits: 7,
          format: 1,
          message: { ...letter.message, payload: 'the payload' },
          payload_codec: 'json',
        }),
      ),
    );

    const memory = allocateRing(16 * 1024);
    const ring = new RingWriter(memory);
    const payload = Buffer.from('"the payload"');
    const bytes = letterRecordBytes({ head, tail }, payload);
    expect(writeLetterRecord(ring, 2, { head, tail }, Codec.JSON, payload, bytes)).toBe(true);
    const handed = readLetterRecord(new RingReader(memory).read()?.bytes as Uint8Array);
    const parts = [handed.head, handed.payload, handed.tail].map((part) => Buffer.from(part).toString());
    expect(JSON.parse(`{${parts.join('')}"json"}`)).toEqual(
      JSON.parse(Buffer.from(`{${head}"the payload"${tail}"json"}`).toString()),
    );
    expect(handed.codec).toBe(Codec.JSON);
  }
});

it('keeps no long names in memory', () => {
  const { heap } = memoryInUse();
  for (let n = 0; n < 50; n++) letterText(letterOf('', { signature: `${Buffer.alloc(400_000, 'x')}${n}` }), FRESH);
  expect(memoryInUse().heap - heap).toBeLessThan(5_000_000);
});
