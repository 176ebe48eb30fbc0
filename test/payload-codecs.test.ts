// Payloads as JSON or in a codec of the user's: what handlers get, what letters say, what happens when a codec throws.
import { describe, expect, it } from '@jest/globals';
import { codecOf } from '../src/handler-source.js';
import { MessageBus } from '../src/index.js';
import { resolveBusOptions, resolveSubscribeOptions } from '../src/resolve-options.js';
import { decodePayload, encodeAs } from '../src/shared/codec.js';
import { EncodedPayload } from '../src/shared/encoded-payload.js';
import echoes from './fixtures/echoes.js';
import { lineCodec } from './fixtures/line-codec.js';
import readsLines from './fixtures/reads-lines.js';
import { shareBus } from './shared-bus.js';
import { lettersOf } from './test-bus.js';

const shared = shareBus();
const noRetry = { breaker: false, retry: { serialization_error: { maxRetries: 0, backoffMs: 0 } } } as const;

describe('codec json', () => {
  it('gives handlers what JSON says, and binary payloads as they are', async () => {
    await shared.bus.subscribe('a', echoes, { subscriberId: 's', codec: 'json' });
    const at = new Date(0);
    const sent = { at, n: [1, undefined], gone: undefined };
    expect(await shared.bus.request('a', sent)).toMatchObject({ payload: { at: at.toISOString(), n: [1, null] } });
    const bytes = new Float32Array([0.5]);
    expect(await shared.bus.request('a', bytes)).toMatchObject({ payload: bytes });
  });

  it('lets go on whole what JSON has no word for, and reports it', async () => {
    await shared.bus.subscribe('a', echoes, { subscriberId: 's', codec: 'json' });
    const seen: unknown[] = [];
    await shared.bus.subscribe('b', (payload) => void seen.push(payload), { subscriberId: 's', codec: 'json' });
    expect(shared.bus.publish('b', { big: 5n })).toBe(true);
    await shared.bus.idle();
    expect(seen).toEqual([{ big: 5n }]);
    expect(await shared.reports()).toMatchObject([
      {
        category: 'serialization_error',
        message: expect.stringContaining('cannot be encoded by codec json'),
        context: { topic: 'b', fallback: 'clone' },
        recovery_successful: true,
      },
    ]);
    await expect(shared.bus.request('a', undefined)).rejects.toMatchObject({ code: 'BUSBAR_ENCODING' });
  });

  it('is an option of the whole bus, too', () => {
    const bus = resolveBusOptions({ codec: 'json' });
    expect(resolveSubscribeOptions('a', { subscriberId: 's' }, bus).codec).toBe('json');
    expect(resolveSubscribeOptions('a', { subscriberId: 's', codec: 'clone' }, bus).codec).toBe('clone');
    expect(() => new MessageBus({ codec: 'xml' as 'json' })).toThrow(
      "codec must be 'clone' or 'json'; received \"xml\"",
    );
  });
});

describe('a codec of the user', () => {
  it('is called once for a message, and its handler gets what it decodes', async () => {
    await shared.bus.subscribe('a', readsLines, { subscriberId: 's' });
    const before = lineCodec.encoded;
    expect(await shared.bus.request('a', ['x', 5])).toMatchObject({ payload: ['x', '5'] });
    expect(lineCodec.encoded).toBe(before + 1);
  });

  it('has its own share of a message that others get in another codec, under the same id', async () => {
    const seen: unknown[] = [];
    const see = (payload: unknown, { id }: { id: string }): void => void seen.push({ payload, id });
    await shared.bus.subscribe('a', see, { subscriberId: 'clone' });
    await shared.bus.subscribe('a', see, { subscriberId: 'json', codec: 'json' });
    await shared.bus.subscribe('a', see, { subscriberId: 'lines', codec: lineCodec });
    const before = lineCodec.encoded;
    shared.bus.publish('a', [1, undefined, 'x'], { id: 'one' });
    await shared.bus.idle();
    expect(seen).toEqual([
      { payload: [1, undefined, 'x'], id: 'one' },
      { payload: [1, null, 'x'], id: 'one' },
      { payload: ['1', '', 'x'], id: 'one' },
    ]);
    expect(lineCodec.encoded).toBe(before + 1);
  });

  it('is used for what handlers publish', async () => {
    const seen: unknown[] = [];
    await shared.bus.subscribe('b', (payload) => void seen.push(payload), { subscriberId: 's', codec: lineCodec });
    await shared.bus.subscribe('a', (_, ctx) => ctx.publish('b', [1, 2]), { subscriberId: 's' });
    shared.bus.publish('a', 0);
    await shared.bus.idle();
    expect(seen).toEqual([['1', '2']]);
  });

  it('lets go on in busbar’s way what it cannot encode, and reports it', async () => {
    const seen: unknown[] = [];
    await shared.bus.subscribe('a', (payload) => void seen.push(payload), { subscriberId: 's', codec: lineCodec });
    for (const payload of [{ no: 'list' }, { no: 'list', fn: () => 1 }]) shared.bus.publish('a', payload);
    await shared.bus.idle();
    expect(seen).toEqual([{ no: 'list' }, { no: 'list' }]);
    const message = 'the payload cannot be encoded by codec lines: lines hold lists of words only';
    const report = { category: 'serialization_error', message, context: { fallback: 'clone' } };
    expect(await shared.reports()).toMatchObject([report, report]);
  });

  it('that gives no bytes is told so', () => {
    const codec = { name: 'texts', encode: () => 'text' as unknown as Uint8Array, decode: () => 0 };
    expect(() => encodeAs(codec, 1)).toThrow('codec texts gave "text" for a Uint8Array');
  });

  it('whose bytes it cannot decode fails the attempt, and its letter keeps them', async () => {
    await shared.bus.subscribe('a', readsLines, { subscriberId: 's', ...noRetry });
    shared.bus.publish('a', ['unreadable', 'x']);
    await shared.bus.idle();
    const [letter] = await lettersOf(shared.bus);
    expect(letter).toMatchObject({ error_category: 'serialization_error', error: { code: 'BUSBAR_DECODING' } });
    expect(letter?.message.payload).toEqual(new EncodedPayload('lines', new Uint8Array(Buffer.from('unreadable\nx'))));
  });

  it('has its letters replayed as they were', async () => {
    const retry = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
    await shared.bus.subscribe('a', readsLines, { subscriberId: 's', breaker: false, retry });
    shared.bus.publish('a', ['refused', 'x']);
    await shared.bus.idle();
    const before = lineCodec.encoded;
    expect(await shared.bus.deadLetterQueue?.replay({ all: true })).toMatchObject({
      replayed: [expect.any(String)],
      failed: [],
    });
    expect(lineCodec.encoded).toBe(before);
    expect(await lettersOf(shared.bus)).toEqual([]);
  });

  it('has letters that no other codec takes for its own', async () => {
    const retry = { message_processing_error: { maxRetries: 0, backoffMs: 0 } };
    const options = { subscriberId: 's', breaker: false, retry } as const;
    const subscription = await shared.bus.subscribe('a', readsLines, options);
    shared.bus.publish('a', ['refused', 'x']);
    await subscription.unsubscribe();
    await shared.bus.subscribe('a', echoes, { ...options, ...noRetry });
    expect(await shared.bus.deadLetterQueue?.replay({ all: true })).toMatchObject({
      replayed: [],
      failed: [expect.any(String)],
    });
    expect((await lettersOf(shared.bus))[0]?.error.message).toBe(
      'the payload is in codec lines, and the handler has none',
    );
  });

  it('survives as it is, name and all, whatever the bytes', () => {
    const payload = new EncodedPayload('lines', Uint8Array.of(0, 255, 10));
    const { codec, bytes } = encodeAs('json', payload);
    expect(decodePayload(codec, bytes)).toEqual(payload);
    for (const damaged of [[], [0], [5, 97]]) {
      expect(() => decodePayload(codec, Uint8Array.from(damaged))).toThrow('bytes of codec own cannot be decoded');
    }
  });
});

describe('a subscription refuses', () => {
  const refused = async (handler: Parameters<MessageBus['subscribe']>[1], codec: unknown, code: string, why: string) =>
    expect(shared.bus.subscribe('a', handler, { subscriberId: 's', codec: codec as 'json' })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(why),
    });
  const fn = (): void => undefined;

  it('a codec that is none', async () => {
    await refused(fn, 'xml', 'BUSBAR_INVALID_OPTION', "codec must be 'clone' or 'json'");
    await refused(fn, { ...lineCodec, name: 'two words' }, 'BUSBAR_INVALID_OPTION', 'codec.name');
    await refused(fn, { name: 'x', encode: fn }, 'BUSBAR_INVALID_OPTION', 'codec.decode');
    await refused(fn, { name: 'x', decode: fn }, 'BUSBAR_INVALID_OPTION', 'codec.encode');
  });

  it('one half of a codec without the other', async () => {
    const { url } = readsLines;
    const other = { ...lineCodec, name: 'other' };
    await refused(echoes, lineCodec, 'BUSBAR_INVALID_OPTION', "an option of defineHandler in the handler's own module");
    await refused(readsLines, other, 'BUSBAR_INVALID_OPTION', 'left out beside a defineHandler value');
    await refused(url, other, 'BUSBAR_HANDLER_LOAD', 'has lines codec, and its subscription other');
    await refused(url, undefined, 'BUSBAR_HANDLER_LOAD', 'has lines codec, and its subscription none');
    await shared.bus.subscribe('a', url, { subscriberId: 's', codec: lineCodec });
    expect(await shared.bus.request('a', ['x'])).toMatchObject({ payload: ['x'] });
  });

  it('another codec than the bus’s where there is a transport', async () => {
    const start = (): Promise<never> => Promise.reject(new Error('never started'));
    const bus = new MessageBus({ transport: { name: 'x', start } });
    const options = { subscriberId: 's', codec: 'json' } as const;
    await expect(bus.subscribe('a', fn, options)).rejects.toMatchObject({ code: 'BUSBAR_INVALID_OPTION' });
    const resolved = resolveBusOptions({ transport: { name: 'x', start } });
    const own = resolveSubscribeOptions('a', { subscriberId: 's' }, resolved);
    expect(() => codecOf(readsLines, own, resolved)).toThrow(
      'defineHandler: codec must be left out where there is a transport',
    );
    await bus.stop();
  });
});
