// What the buffer of published messages does with those that the servers cannot take, and what it holds.
import { describe, expect, it } from '@jest/globals';
import { SteppedClock } from '../src/testing/index.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { Outbox } from '../src/transport/outbox.js';
import type { Outgoing } from '../src/transport/outgoing.js';
import { memoryInUse } from './heap.js';

/** Messages: the rest waits in the buffer, and is not on its way. */
const MORE_THAN_IS_SENT = 5000;

const turn = (): Promise<void> => new Promise((resume) => setImmediate(resume));

/** An outbox on a connection that the test answers. */
function outboxWith(limits: { messages: number; bytes: number }) {
  let onAnswer: (message: Incoming) => void = () => undefined;
  const sent: { data: Uint8Array; reply: string; header: Outgoing['header'] }[] = [];
  const clock = new SteppedClock();
  const reports: unknown[] = [];
  const kept: Outgoing[] = [];
  const onKept: (() => void)[] = [];
  const keeps = { atOnce: true, next: () => onKept.shift()?.() };
  const link = {
    isUp: true,
    largestMessage: 1024 * 1024,
    inbox: () => 'INBOX',
    listen: (_subject: string, listener: typeof onAnswer) => {
      onAnswer = listener;
      return { drain: async () => undefined };
    },
    send: (_subject: string, data: Uint8Array, reply: string, header: Outgoing['header']) => {
      if (data.byteLength > link.largestMessage) throw new Error('max_payload size exceeded');
      sent.push({ data, reply, header });
      return true;
    },
  };
  const outbox = new Outbox({
    ...{ clock, connection: link as unknown as Connection, limits },
    keep: async (outgoing) => {
      kept.push(outgoing);
      if (!keeps.atOnce) await new Promise<void>((done) => onKept.push(done));
    },
    report: (thrown) => void reports.push(thrown),
  });
  const outgoingOf = (bytes: number, others: Partial<Outgoing>): Outgoing => {
    const plain = { subject: 'a', header: [], key: null, isFromHandler: false, onStored: undefined };
    return { ...plain, data: Buffer.alloc(bytes, 2), ...others };
  };
  const add = (bytes: number, others: Partial<Outgoing> = {}): boolean => outbox.add(outgoingOf(bytes, others));
  const refuse = (bytes: number, others: Partial<Outgoing> = {}): boolean =>
    outbox.refuse(outgoingOf(bytes, others), new Error('too large'));
  /** The server has stored the oldest that it has not answered. */
  const stores = (): void => answers('{"stream":"S","seq":1}');
  /** It has answered so to the oldest that it has not answered. */
  const answers = (text: string): void => onAnswer({ subject: sent.shift()?.reply ?? '', data: Buffer.from(text) });
  return { outbox, clock, link, sent, reports, kept, keeps, add, refuse, stores, answers };
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

  it('is not ready for one that it refused, though a smaller one would fit, before half of it is free', async () => {
    const { outbox, add, stores } = outboxWith({ messages: 10, bytes: 100 });
    const seen: string[] = [];
    expect([add(45), add(45), add(45)]).toEqual([true, true, false]);
    const ready = outbox.ready().then(() => seen.push('ready'));
    expect(add(1)).toBe(true);
    const stillReady = outbox.ready().then(() => seen.push('ready'));
    await turn();
    expect(seen).toEqual([]);
    stores();
    await Promise.all([ready, stillReady]);
    expect(add(45)).toBe(true);
    for (let n = 0; n < 3; n++) stores();
    await outbox.ready();
  });

  it('lets go of whoever waits for room when it is closed', async () => {
    const { outbox, add } = outboxWith({ messages: 1, bytes: 100 });
    expect([add(10), add(10)]).toEqual([true, false]);
    const ready = outbox.ready();
    await outbox.close(500);
    await ready;
  });

  it('is ready again though nobody waited while half of it became free', async () => {
    const { outbox, add, stores } = outboxWith({ messages: 10, bytes: 100 });
    expect([add(60), add(60)]).toEqual([true, false]);
    stores();
    await outbox.ready();
    expect([add(200), outbox.size]).toEqual([false, 0]);
    await outbox.ready();
  });

  it.each([
    '{"stream":"S","seq":0,"duplicate":true}',
    '{"stream":"S"}',
    '{"error":{"code":500,"err_code":10158,"description":"duplicate message id is in process"},"stream":"S","seq":0}',
  ])('does not take a message for stored that the server answers with %s', async (unsure) => {
    const { outbox, clock, sent, reports, add, answers } = outboxWith({ messages: 10, bytes: 100 });
    const header: Outgoing['header'] = [
      ['Nats-Msg-Id', 'a 1'],
      ['traceparent', '00-1-1-01'],
    ];
    add(10, { header });
    for (let n = 0; n < 39; n++) {
      answers(unsure);
      clock.step(250);
    }
    expect([outbox.size, reports, sent.map((each) => each.header)]).toEqual([1, [], [header]]);
    answers(unsure);
    clock.step(250);
    expect(sent.map((each) => each.header)).toEqual([[['traceparent', '00-1-1-01']]]);
    // As if it were new: so nobody has subscribed to it.
    answers(unsure);
    expect(outbox.size).toBe(0);
  });

  it('holds no message that is stored, though it is never empty', async () => {
    const { outbox, stores } = outboxWith({ messages: 10_000, bytes: 1_000_000 });
    const held: WeakRef<Uint8Array>[] = [];
    const publish = (): void => {
      // A buffer of its own: a small one would be a view of one that many share.
      const data = new Uint8Array(64);
      held.push(new WeakRef(data));
      outbox.add({ subject: 'a', header: [], key: null, isFromHandler: true, onStored: undefined, data });
    };
    const seen: number[] = [];
    for (let n = 0; n < MORE_THAN_IS_SENT; n++) publish();
    for (let n = 0; n < MORE_THAN_IS_SENT; n++) {
      stores();
      outbox.afterHandlers(() => seen.push(n));
      publish();
    }
    expect([outbox.size, seen.length > 0]).toEqual([MORE_THAN_IS_SENT, true]);
    await turn();
    memoryInUse();
    const left = held.filter((data) => data.deref() !== undefined).length;
    expect(left).toBeLessThan(outbox.size + 10);
    while (outbox.size > 0) stores();
    expect(seen).toHaveLength(MORE_THAN_IS_SENT);
  });

  it('keeps what is too large for the server that came back, tells who waits for it, and sends the rest, in order', async () => {
    const { outbox, link, sent, reports, kept, add, stores } = outboxWith({ messages: 10_000, bytes: 10_000_000_000 });
    const told: unknown[] = [];
    const key = 'k';
    add(500_000, { key });
    add(1, { key });
    link.isUp = false;
    add(500_000, { onStored: (problem) => told.push(problem) });
    add(2);
    const data = Buffer.alloc(500_000);
    for (let n = 0; n < MORE_THAN_IS_SENT; n++) add(0, { data, isFromHandler: true });
    add(3);
    sent.length = 0;
    Object.assign(link, { isUp: true, largestMessage: 100_000 });
    outbox.reconnected();
    expect(sent.map((message) => message.data.byteLength)).toEqual([2, 3, 1]);
    const tooLarge = expect.objectContaining({ code: 'BUSBAR_MESSAGE_TOO_LARGE' });
    expect(told).toEqual([tooLarge]);
    expect(reports).toHaveLength(MORE_THAN_IS_SENT + 2);
    expect(reports.at(-1)).toEqual(tooLarge);
    for (let n = 0; n < 3; n++) stores();
    await outbox.empty();
    expect([kept.length, outbox.kept]).toEqual([MORE_THAN_IS_SENT + 1, MORE_THAN_IS_SENT + 1]);
    expect(outbox.isFullOfHandlers).toBe(false);
  });

  it('gives room to what is too large until it is kept, 1 MiB at a time, and then refuses more, before half of it is free', async () => {
    const { outbox, kept, keeps, reports, refuse } = outboxWith({ messages: 10, bytes: 5_000_000 });
    keeps.atOnce = false;
    expect([1, 2, 3, 4].map(() => refuse(2_000_000))).toEqual([true, true, true, false]);
    expect([kept.length, outbox.kept, outbox.size, outbox.refused, reports.length]).toEqual([1, 0, 3, 1, 3]);
    const seen: string[] = [];
    const ready = outbox.ready().then(() => seen.push('ready'));
    for (const left of [2, 1]) {
      expect(seen).toEqual([]);
      keeps.next();
      await turn();
      expect([kept.length, outbox.kept, outbox.size]).toEqual([4 - left, 3 - left, left]);
    }
    await ready;
    expect([refuse(2_000_000), refuse(1, { isFromHandler: true }), outbox.size]).toEqual([true, true, 3]);
    const closed = outbox.close(500).then(() => seen.push('closed'));
    keeps.next();
    await turn();
    expect(seen).toEqual(['ready']);
    keeps.atOnce = true;
    keeps.next();
    await closed;
    expect([kept.length, outbox.kept, refuse(1)]).toEqual([5, 5, false]);
    await outbox.ready();
  });

  it('keeps nothing for who waits for it, and tells that one at once, though it is full', () => {
    const { outbox, kept, add, refuse } = outboxWith({ messages: 1, bytes: 100 });
    const told: unknown[] = [];
    expect([add(10), refuse(200), refuse(200, { onStored: (problem) => told.push(problem) })]).toEqual([
      ...[true, false, true],
    ]);
    expect([told, kept]).toEqual([[expect.objectContaining({ message: 'too large' })], []]);
    expect(outbox.refused).toBe(1);
  });

  it('sends what is late again before what was never sent, in the order of publishing', () => {
    const { outbox, sent, add } = outboxWith({ messages: 10_000, bytes: 1_000_000 });
    for (let n = 0; n < MORE_THAN_IS_SENT; n++) add(1);
    const first = sent.splice(0).map(({ reply }) => reply);
    outbox.reconnected();
    expect(sent.map(({ reply }) => reply)).toEqual(first);
  });
});
