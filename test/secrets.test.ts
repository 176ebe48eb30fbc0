// A bus's own secrets, and those that its user names, stay out of everything that it says: log, errors, command line.
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { FailureNotes } from '../src/failure-notes.js';
import { MessageBus } from '../src/index.js';
import { systemClock } from '../src/shared/clock.js';
import { FailureDescriber } from '../src/shared/describe.js';
import { createRedactor } from '../src/shared/redact.js';
import { jetstream } from '../src/transport/jetstream.js';
import { withoutUser } from '../src/transport/transport-errors.js';
import { busbar } from './command-line.js';
import { linesOf, startBus, temporaryFolder } from './test-bus.js';

describe('the secrets that the option `redact` names', () => {
  it('are in no line of the error log, and not in what the command line shows', async () => {
    const errorLogDir = temporaryFolder();
    const bus = await startBus({ errorLogDir, redact: { paths: ['ssn'], patterns: ['zebra\\d+'] } });
    const refuse = (): never => {
      throw Object.assign(new Error('refused zebra42'), { code: 'ECONNREFUSED', name: 'E_zebra42' });
    };
    await bus.subscribe('a', refuse, {
      ...{ subscriberId: 'hook', breaker: false, retry: { connection_error: { maxRetries: 1, backoffMs: 1 } } },
      reconnect: () => Promise.reject(new Error('no way back with zebra42')),
    });
    const headers = { cookie: 'sid=hunter2', trace: 'zebra42' };
    bus.publish('a', { ssn: '078-05-1120', note: 'zebra42' }, { key: 'password=hunter2', headers });
    await bus.idle();
    if (bus.recoveryManager !== null) {
      bus.recoveryManager.recoveryStrategies.connection_error = () => Promise.reject(new Error('lost with zebra42'));
    }
    bus.publish('a', 2);
    await bus.idle();
    await bus.errorLogger?.flush();
    const log = linesOf(join(errorLogDir, 'message_bus_errors.json')).join('\n');
    expect(log).toMatch(/no way back with \[redacted\]/);
    expect(log).toMatch(/lost with \[redacted\]/);
    expect(log).not.toMatch(/zebra42|078-05|hunter2/);

    const [letter] = JSON.parse((await busbar('dlq', 'list', '--dir', errorLogDir, '--json')).out).letters;
    const show = async (...args: string[]): Promise<string> => {
      const ended = await busbar('dlq', 'show', letter.error_id, '--dir', errorLogDir, ...args);
      expect(ended).toMatchObject({ exit: 0, err: '' });
      return ended.out;
    };
    const masked = (await show()) + (await show('--json'));
    expect(masked).not.toMatch(/zebra42|078-05|hunter2/);
    expect(masked).toContain('key [text of 16]');
    const redacted = (await show('--payload')) + (await show('--payload', '--json'));
    expect(redacted).not.toMatch(/zebra42|078-05|hunter2/);
    expect(redacted).toMatch(/ssn: '\[redacted\]', note: '\[redacted\]'/);
    expect(redacted).toContain('key password=[redacted]');
    const bare = JSON.parse(await show('--unmask', '--json'));
    expect(bare).toMatchObject({ key: 'password=hunter2', headers, message: { key: 'password=hunter2', headers } });
    expect(await show('--unmask')).toContain('078-05-1120');
  });

  it('are taken out of what is told beside an incident', () => {
    const notes = new FailureNotes(
      new FailureDescriber(createRedactor({ paths: ['ssn'] }), undefined, true),
      systemClock,
      'bus',
    );
    const told = { servers: ['nats://bob:hunter2@host:4222'], ssn: 'hunter2', unstored: 3 };
    const { context } = notes.incident('jetstream', new Error('lost'), 'setup', told);
    expect(context).toMatchObject({ servers: ['nats://[redacted]@host:4222'], ssn: '[redacted]', unstored: 3 });
  });
});

describe('the credentials of a transport', () => {
  it('are not in the errors of a connection that cannot be made', async () => {
    const transport = jetstream({ servers: ['nats://bob:hun@ter2@127.0.0.1:1', 'bob:hunter2@127.0.0.1:1'] });
    const bus = new MessageBus({ errorLogDir: temporaryFolder(), threads: 1, transport });
    const refused = await bus.start().then(
      () => undefined,
      (error: unknown) => error as Error,
    );
    await bus.stop();
    expect(refused?.message).toMatch(/^connecting to nats:\/\/127\.0\.0\.1:1, 127\.0\.0\.1:1: /);
    expect(() => jetstream({ servers: ['nats://bob:hunter2@host', ''] })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('hunter2') }),
    );
    expect(withoutUser('tls://token@host:4222')).toBe('tls://host:4222');
    expect(withoutUser('host:4222')).toBe('host:4222');
  });
});
