// What the buffer of published messages does with those that the servers cannot take, and what it holds.
import { describe, expect, it } from '@jest/globals';
import { SteppedClock } from '../src/testing/index.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { Outbox, type Outgoing } from '../src/transport/outbox.js';

/** An outbox on a connection that the test answers. */
function outboxWith(limits: { messages: number; bytes: number }) {
  let onAnswer: (message: Incoming) => void = () => undefined;
  const sent: { data: Uint8Array; reply: string }[] = [];
  const reports: unknown[] = [];
  const kept: Outgoing[] = [];
  const link = {
    largestMessage: 1024 * 1024,
    inbox: () => 'INBOX',
    listen: (_subject: string, listener: typeof onAnswer) => {
      onAnswer = listener;
      return { drain: async () => undefined };
    },
    send: (_subject: string, data: Uint8Array, reply: string) => {
      if (data.byteLength > link.largestMessage) throw new Error('max_payload size exceeded');
      sent.push({ data, reply });
      return true;
    },
  };
  const outbox = new Outbox({
    ...{ clock: new SteppedClock(), connection: link as unknown as Connection, limits },
    keep: async (outgoing) => void kept.push(outgoing),
    report: (thrown) => void reports.push(thrown),
  });
  const add = (bytes: number, others: Partial<Outgoing> = {}): boolean => {
    const plain = { subject: 'a', header: [], key: null, isFromHandler: false, onStored: undefined };
    return outbox.add({ ...plain, data: Buffer.alloc(bytes, 2), ...others });
  };
  /** The server has stored the oldest that it has not answered. */
  const stores = (): void => {
    const data = Buffer.from('{"stream":"S","seq":1}');
    onAnswer({ subject: sent.shift()?.reply ?? '', data });
  };
  return { outbox, link, sent, reports, kept, add, stores };
}

describe('the buffer of published messages', () => {
  it('is full of what handlers published by that alone, in number or in bytes', () => {
    const { outbox, add, stores } = outboxWith({ messages: 2, bytes: 100 });
    expect([add(10), add(10), add(10)]).toEqual([true, true, false]);
    expect(outbox.isFullOfHandlers).toBe(false);
    const isFromHandler = true;
    expect([add(10, { isFromHandler }), outbox.isFullOfHandlers]).toEqual([true, false]);
    expect([add(10, { isFromHandler }), outbox.isFullOfHandlers]).toEqual([true, true]);
    for (let n = 0; n < 3; n++) stores();
    expect(outbox.isFullOfHandlers).toBe(false);
    expect([add(90, { isFromHandler }), outbox.isFullOfHandlers]).toEqual([true, true]);
    stores();
    expect(outbox.isFullOfHandlers).toBe(false);
  });
});
