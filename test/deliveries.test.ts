// Deliveries are taken out of what a server sends, however it is cut; the client reads all else, in order.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Inboxes } from '../src/transport/client.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { type ClientParser, Deliveries } from '../src/transport/deliveries.js';

/** Subscriptions whose deliveries are taken. */
const OURS = [1, 12];

interface Sent {
  readonly subject: string;
  readonly subscription: number;
  readonly reply: string;
  readonly header: Buffer | null;
  readonly data: Buffer;
}

function bytesOf({ subject, subscription, reply, header, data }: Sent): Buffer {
  const size = data.length + (header?.length ?? 0);
  const sizes = header === null ? `${size}` : `${header.length} ${size}`;
  const line = `${header === null ? 'MSG' : 'HMSG'} ${subject} ${subscription} ${reply === '' ? '' : `${reply} `}${sizes}\r\n`;
  return Buffer.concat([Buffer.from(line), header ?? Buffer.of(), data, Buffer.from('\r\n')]);
}

/** What came, in order: what the client was given in a row is one text. */
class Record {
  readonly all: unknown[] = [];
  readonly client: ClientParser = {
    state: 0,
    parse: (bytes) => {
      const text = Buffer.from(bytes).toString('latin1');
      const last = this.all.at(-1);
      if (typeof last === 'string') this.all[this.all.length - 1] = last + text;
      else this.all.push(text);
    },
  };
  readonly take = ({ subject, reply, data }: Incoming): void => {
    this.all.push({ subject, reply, data: Buffer.from(data).toString('latin1') });
  };
}

function reads(record: Record): Deliveries {
  return new Deliveries(record.client, new Map(OURS.map((number) => [number, record.take])));
}

const token = fc.constantFrom('a', 'camera.front', 'größe.ключ', 'MSG');
/** Payloads look like lines, too. */
const body = fc
  .oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom('MSG a 1 b 1\r\nx\r\n', '\r\n', 'PING\r\nMSG ').map((text) => Buffer.from(text)),
  )
  .map((bytes) => Buffer.from(bytes));
const sent = fc.record<Sent>({
  subject: token,
  subscription: fc.constantFrom(...OURS, 2, 120),
  reply: fc.constantFrom('', '$JS.ACK.S.c.1.2.3.4.5', 'größe'),
  header: fc.option(body),
  data: body,
});
const other = fc.constantFrom(
  'PING\r\n',
  'PONG\r\n',
  '+OK\r\n',
  "-ERR 'a b c d e f g h'\r\n",
  'INFO {"a b":"c d e f g h"}\r\n',
);

describe('what a server sends', () => {
  it('comes as it was sent, wherever it is cut', () => {
    const parts = fc.array(fc.oneof(sent, other), { maxLength: 12 });
    const cuts = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(parts, cuts, (all, lengths) => {
        const expected = new Record();
        for (const part of all) {
          const isTaken = typeof part !== 'string' && part.reply !== '' && OURS.includes(part.subscription);
          if (isTaken) expected.take(part);
          else expected.client.parse(typeof part === 'string' ? Buffer.from(part) : bytesOf(part));
        }
        const bytes = Buffer.concat(all.map((part) => (typeof part === 'string' ? Buffer.from(part) : bytesOf(part))));
        const seen = new Record();
        const deliveries = reads(seen);
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const length = lengths[cut % lengths.length] as number;
          deliveries.parse(bytes.subarray(at, at + length));
          at += length;
        }
        expect(seen.all).toEqual(expected.all);
      }),
    );
  });

  it.each([
    ['MSG a 1 b x\r\n', 'no size'],
    ['MSG a 1 b 99999999999\r\n', 'more bytes than any message has'],
    ['HMSG a 1 b 9 5\r\n', 'more headers than bytes'],
    ['MSG a 1 b 5 6 7\r\n', 'too many words'],
    ['MSG  a 1 b 1\r\n', 'an empty word'],
    ['HMSG a 1  1 1\r\n', 'an empty reply'],
    ['MSG a 1 b 15\n', 'half an end of a line'],
    ['msg a 1 b 1\r\n', 'other letters'],
  ])('is left to the client from %j on: %s', (line) => {
    const record = new Record();
    const deliveries = reads(record);
    const good = bytesOf({ subject: 's', subscription: 1, reply: 'r', header: null, data: Buffer.from('d') });
    deliveries.parse(good);
    deliveries.parse(Buffer.concat([Buffer.from(line), good]));
    deliveries.parse(good);
    const text = good.toString();
    expect(record.all).toEqual([{ subject: 's', reply: 'r', data: 'd' }, `${line}${text}${text}`]);
  });

  it('is left to the client until the message ends that it is reading', () => {
    const record = new Record();
    const client = { ...record.client, state: 7 };
    const deliveries = new Deliveries(client, new Map([[1, record.take]]));
    const good = bytesOf({ subject: 's', subscription: 1, reply: 'r', header: null, data: Buffer.from('d') });
    deliveries.parse(good);
    client.state = 0;
    deliveries.parse(good);
    expect(record.all).toEqual([good.toString(), { subject: 's', reply: 'r', data: 'd' }]);
  });
});

describe('an inbox', () => {
  type Client = ConstructorParameters<typeof Inboxes>[0];
  /** Hands over by callbacks what its parser is given, as the text that it is. */
  const clientWith = (protocol: { parser?: unknown }): Client & { comes(reply: string): void } => {
    let callback: (error: Error | null, message: Incoming) => void = () => undefined;
    const subscribe = (_subject: string, options: { callback: typeof callback }): unknown => {
      callback = options.callback;
      return { getID: () => 1, drain: () => Promise.resolve(), unsubscribe: () => undefined };
    };
    const comes = (reply: string): void => callback(null, { subject: 'by callback', reply, data: Buffer.of() });
    return { subscribe, protocol, comes } as unknown as Client & { comes(reply: string): void };
  };
  const good = bytesOf({ subject: 's', subscription: 1, reply: 'r', header: null, data: Buffer.from('d') });

  it("takes deliveries before the client does, also by the client's next socket, until it is closed", async () => {
    const record = new Record();
    const protocol = { parser: record.client };
    const inboxes = new Inboxes(clientWith(protocol));
    const inbox = inboxes.listen('i', record.take, () => true);
    protocol.parser.parse(good);
    protocol.parser = record.client;
    inboxes.listen('i', record.take, () => true);
    protocol.parser.parse(good);
    const taken = { subject: 's', reply: 'r', data: 'd' };
    expect(record.all).toEqual([taken, taken]);
    await inbox.drain();
    protocol.parser.parse(good);
    expect(record.all).toEqual([taken, taken, good.toString()]);
  });

  it.each([[{}], [{ parser: {} }], [{ parser: { parse: () => undefined } }]])(
    'does without that where the client has %j for it',
    (protocol) => {
      const record = new Record();
      const before = { ...protocol };
      const client = clientWith(protocol);
      new Inboxes(client).listen('i', record.take, () => true);
      client.comes('r');
      expect(protocol).toEqual(before);
      expect(record.all).toEqual([{ subject: 'by callback', reply: 'r', data: '' }]);
    },
  );
});
