// What is said of messages that the server gives up by itself, and of a user who may not hear of them.
import { describe, expect, it } from '@jest/globals';
import { BusbarError } from '../src/shared/errors.js';
import type { Connection } from '../src/transport/connection.js';
import type { Incoming } from '../src/transport/connection-words.js';
import { hearOfGivenUp, orNotHeard } from '../src/transport/given-up-by-server.js';
import { groupOf } from '../src/transport/subjects.js';

const SUBJECT = '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.*';

describe('a message that the server gives up by itself', () => {
  it('is reported when it was for a subscription, and not when another program has read the stream', () => {
    let hear: (message: Incoming) => void = () => undefined;
    const link = {
      listen: (subject: string, listener: typeof hear) => {
        expect(subject).toBe(SUBJECT);
        hear = listener;
        return { drain: async () => undefined };
      },
    };
    const told: string[] = [];
    hearOfGivenUp(link as unknown as Connection, 'S', ({ message }) => told.push(message));
    const says = (consumer: unknown): void => {
      const data = Buffer.from(JSON.stringify({ consumer, stream_seq: 7, deliveries: 3 }));
      hear({ subject: 'x', data });
    };
    for (const consumer of ['analytics', 'worker-0', `${groupOf('a.*', 'mine')}`, 5]) says(consumer);
    expect(told).toEqual([]);
    says(`${groupOf('a.*', 'mine')}-12`);
    expect(told).toEqual([
      expect.stringMatching(/^consumer mine-[0-9a-f]{12}-12 has other settings.* message 7 after 3/),
    ]);
  });

  it('is all that is missing where the user may not hear of it; other refusals are told as they are', () => {
    const refusal = (operation: string, subject: string): BusbarError => {
      const cause = Object.assign(new Error('Permissions Violation'), { operation, subject });
      return new BusbarError('BUSBAR_TRANSPORT_PERMISSION', 'the server refuses', { cause });
    };
    expect(orNotHeard(refusal('subscription', SUBJECT), 'S')).toMatchObject({
      code: 'BUSBAR_TRANSPORT_PERMISSION',
      message: expect.stringMatching(/may not subscribe to .*MAX_DELIVERIES\.S\.\*: .*; nothing else is missing$/),
    });
    for (const other of [refusal('publish', SUBJECT), refusal('subscription', 's-members.g')])
      expect(orNotHeard(other, 'S')).toBe(other);
    const plain = new BusbarError('BUSBAR_TRANSPORT_CONNECTION', 'no cause');
    expect(orNotHeard(plain, 'S')).toBe(plain);
  });
});
