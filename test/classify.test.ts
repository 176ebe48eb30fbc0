// Errors of every kind find their category, and become bounded plain records without secrets.
import { describe, expect, it } from '@jest/globals';
import { classifyError, ErrorCategory, type ErrorPhase } from '../src/index.js';
import { toErrorRecord } from '../src/shared/error-record.js';
import { createRedactor, preview } from '../src/shared/redact.js';
import { signatureOf } from '../src/shared/signature.js';

const redactor = createRedactor();
const coded = (code: string, more: object = {}): Error => Object.assign(new Error(code), { code, ...more });

/** The error that Node itself makes of it. */
function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

it('takes a phase that it does not know for the handler’s', () => {
  const { category } = classifyError(new Error('plain'), { phase: 'nowhere' as 'handler' });
  expect(category).toBe('message_processing_error');
});

describe('classification', () => {
  it.each<[string, unknown, ErrorCategory, ErrorPhase?]>([
    ['a refused connection', coded('ECONNREFUSED'), 'connection_error'],
    ['fetch failed, with its cause', new TypeError('fetch failed', { cause: coded('ENOTFOUND') }), 'connection_error'],
    ['a missing socket file', coded('ENOENT', { syscall: 'connect' }), 'connection_error'],
    ['a missing file', coded('ENOENT', { syscall: 'open' }), 'message_processing_error'],
    ['a missing file at set-up', coded('ENOENT', { syscall: 'open' }), 'configuration_error', 'setup'],
    ['a missing module in a delivery', coded('ERR_MODULE_NOT_FOUND'), 'message_processing_error'],
    ['a missing module at set-up', coded('ERR_MODULE_NOT_FOUND'), 'configuration_error', 'setup'],
    ['anything at set-up', new Error('x'), 'configuration_error', 'setup'],
    ['a plain error', new Error('x'), 'message_processing_error'],
    ['a thrown text', 'x', 'message_processing_error'],
    ['nothing at all', undefined, 'message_processing_error'],
    ['AbortSignal.timeout', new DOMException('late', 'TimeoutError'), 'timeout_error'],
    [
      'an abort by timeout',
      Object.assign(new Error('aborted', { cause: { code: 23 } }), { name: 'AbortError' }),
      'timeout_error',
    ],
    ['a user’s own abort', new DOMException('stop', 'AbortError'), 'message_processing_error'],
    ['a socket timeout', coded('ETIMEDOUT'), 'timeout_error'],
    ['what cannot be cloned', thrownBy(() => structuredClone(() => 1)), 'serialization_error'],
    ['anything while decoding', thrownBy(() => JSON.parse('{')), 'serialization_error', 'decode'],
    ['bad JSON that a handler parses', thrownBy(() => JSON.parse('{')), 'message_processing_error'],
    ['a worker out of memory', coded('ERR_WORKER_OUT_OF_MEMORY'), 'resource_exhaustion'],
    ['a buffer that cannot be allocated', new RangeError('Array buffer allocation failed'), 'resource_exhaustion'],
    ['a text that is too long', thrownBy(() => 'x'.repeat(2 ** 30)), 'resource_exhaustion'],
    ['another RangeError', new RangeError('out of range'), 'message_processing_error'],
    ['too many open files', coded('EMFILE'), 'resource_exhaustion'],
    ['a full disk', coded('ENOSPC'), 'resource_exhaustion'],
    ['no permission', coded('EACCES'), 'authentication_error'],
    ['HTTP 401', Object.assign(new Error('x'), { status: 401 }), 'authentication_error'],
    ['HTTP 403 of a client', Object.assign(new Error('x'), { response: { status: 403 } }), 'authentication_error'],
    ['HTTP 503', Object.assign(new Error('x'), { statusCode: 503 }), 'connection_error'],
    ['HTTP 504', Object.assign(new Error('x'), { status: 504 }), 'timeout_error'],
    ['HTTP 404', Object.assign(new Error('x'), { status: 404 }), 'message_processing_error'],
    ['an expired certificate', coded('CERT_HAS_EXPIRED'), 'authentication_error'],
    ['the worst of several', new AggregateError([coded('ECONNREFUSED'), coded('EMFILE'), 'x']), 'resource_exhaustion'],
    ['a full queue', coded('BUSBAR_QUEUE_FULL'), 'queue_overflow'],
  ])('finds %s', (_name, thrown, category, phase = 'handler') => {
    expect(classifyError(thrown, { phase }).category).toBe(category);
  });

  it('says how bad it is by category, unless a rule says otherwise', () => {
    expect(classifyError(coded('EMFILE')).severity).toBe('critical');
    expect(classifyError(coded('ECONNRESET')).severity).toBe('high');
    expect(classifyError(new Error('x')).severity).toBe('medium');
    expect(classifyError(new Error('x'), { rules: [{ when: { message: 'x' }, severity: 'low' }] })).toEqual({
      category: 'message_processing_error',
      severity: 'low',
    });
  });

  it('asks the user’s rules first, and the first that matches decides', () => {
    const rules = [
      { when: { name: 'Error', code: 'E1' }, category: ErrorCategory.TIMEOUT_ERROR },
      { when: { message: /^down/ }, category: ErrorCategory.CONNECTION_ERROR },
      { when: { status: 418 }, category: ErrorCategory.CONFIGURATION_ERROR },
    ];
    expect(classifyError(coded('E1'), { rules }).category).toBe('timeout_error');
    expect(classifyError(new Error('down again'), { rules }).category).toBe('connection_error');
    expect(classifyError(Object.assign(new Error('tea'), { status: 418 }), { rules }).category).toBe(
      'configuration_error',
    );
    expect(classifyError(coded('ECONNREFUSED'), { rules }).category).toBe('connection_error');
  });
});

/** Everything that a thrown value can do to those who look at it. */
const HOSTILE: readonly [string, () => unknown][] = [
  [
    'a Proxy that throws at everything',
    () =>
      new Proxy(
        {},
        new Proxy(
          {},
          {
            get: () => () => {
              throw new Error('trap');
            },
          },
        ),
      ),
  ],
  [
    'getters that throw',
    () =>
      Object.defineProperty(new Error('x'), 'message', {
        get: () => {
          throw new Error('getter');
        },
      }),
  ],
  ['a message of 10 MB', () => new Error('x'.repeat(10_000_000))],
  ['a message that is no text', () => Object.assign(new Error('x'), { message: { toString: null } })],
  [
    'a cycle of causes',
    () => {
      const e = new Error('x');
      e.cause = new Error('y', { cause: e });
      return e;
    },
  ],
  ['a hundred causes', () => Array.from({ length: 100 }).reduce((cause) => new Error('x', { cause }), undefined)],
  ['a thousand members', () => new AggregateError(Array.from({ length: 1000 }, () => new Error('m'.repeat(5000))))],
  ['no prototype', () => Object.assign(Object.create(null), { message: 'x', name: 'Bare' })],
  ['a symbol', () => Symbol('s')],
  [
    'a revoked Proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  ],
  ['a function', () => () => 1],
  ['a bigint', () => 10n],
  ['a huge array', () => new Array(1e6).fill({ a: 1 })],
  [
    'a value with a toJSON that throws',
    () => ({
      toJSON: () => {
        throw new Error('no');
      },
    }),
  ],
];

describe('a hostile thrown value', () => {
  it.each(HOSTILE)('%s becomes a bounded plain record', (_name, make) => {
    const thrown = make();
    const { category } = classifyError(thrown);
    const record = toErrorRecord(thrown, redactor);
    const text = JSON.stringify(record);
    expect(text.length).toBeLessThan(30_000);
    expect(structuredClone(record)).toEqual(record);
    expect(signatureOf(category, record)).toMatch(/^v1:[0-9a-f]{12}$/);
    expect(preview(thrown, redactor).length).toBeLessThanOrEqual(1000);
  });
});

describe('an error record', () => {
  it('tells what there is to know', () => {
    const cause = coded('ECONNRESET', { syscall: 'read' });
    const error = Object.assign(new TypeError('no luck', { cause }), { status: 503, headers: { 'retry-after': '3' } });
    expect(toErrorRecord(error, redactor)).toMatchObject({
      name: 'TypeError',
      message: 'no luck',
      status: 503,
      retry_after_ms: 3000,
      cause: { name: 'Error', code: 'ECONNRESET', syscall: 'read' },
      stack: expect.stringContaining('classify.test'),
    });
    expect(toErrorRecord(error, redactor, { stack: false })).not.toHaveProperty('stack');
  });

  it.each([
    [{ retryAfterMs: 250 }, 250],
    [{ retryAfter: 2 }, 2000],
    [{ response: { headers: new Headers({ 'retry-after': '7' }) } }, 7000],
    [{ headers: { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' } }, 0],
    [{ headers: { 'retry-after': 'some day' } }, undefined],
    [{ retryAfterMs: -5 }, undefined],
    [{ retryAfter: 1e12 }, 86_400_000],
  ])('reads a retry hint from %j', (fields, expected) => {
    expect(toErrorRecord(Object.assign(new Error('x'), fields), redactor).retry_after_ms).toBe(expected);
  });
});

describe('a signature', () => {
  const at = (message: string, stack: string, name = 'Error') => signatureOf('timeout_error', { name, message, stack });
  const stack = 'Error: x\n    at read (/app/a.js:10:5)\n    at node:internal/x:1:1\n    at main (/app/b.js:3:1)';

  it('is the same for what differs by numbers, ids and lines only', () => {
    const one = at('user 17 of "a" at 0xff failed', stack);
    expect(at('user 99 of "b" at 0x1a failed', stack.replace(':10:5', ':12:9'))).toBe(one);
  });

  it('is the same with source maps and without', () => {
    const built =
      'Error: x\n    at Detector.read (file:///app/dist/src/a.js?v=1:10:5)\n    at file:///app/dist/main.js:3:1';
    const mapped = 'Error: x\n    at read (/app/src/a.ts:12:9)\n    at <anonymous> (/app/main.ts:4:2)';
    expect(at('x failed', mapped)).toBe(at('x failed', built));
  });

  it('differs by class, place and wording', () => {
    const one = at('x failed', stack);
    expect(at('x failed', stack, 'TypeError')).not.toBe(one);
    expect(at('x failed', stack.replace('read', 'write'))).not.toBe(one);
    expect(at('y failed', stack)).not.toBe(one);
  });
});

describe('redaction', () => {
  it.each([
    ['Authorization: Bearer abcdef0123456789', 'abcdef0123456789'],
    ['got basic dXNlcjpwYXNz from', 'dXNlcjpwYXNz'],
    ['token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def', 'eyJzdWIi'],
    ['https://bob:hunter2@example.org/x', 'hunter2'],
    ['{"password": "hunter2"}', 'hunter2'],
    ['retry with api_key=hunter2&x=1', 'hunter2'],
    ['Cookie: sid=hunter2', 'hunter2'],
  ])('takes the secret out of %j', (text, secret) => {
    expect(redactor.text(text)).not.toContain(secret);
    expect(redactor.text(text)).toContain('[redacted]');
  });

  it('takes secret fields out of values at any depth, and those that the user names', () => {
    const own = createRedactor({ paths: ['iban', 'user.email'], patterns: ['\\d{4}-\\d{4}'] });
    const value = {
      list: [{ apiKey: 'k', 'X-Api-Key': 'k', n: 1 }],
      IBAN: 'k',
      user: { email: 'k', name: 'n' },
      email: 'kept',
      card: '1234-5678',
    };
    expect(JSON.parse(JSON.stringify(own.value(value)))).toEqual({
      list: [{ apiKey: '[redacted]', 'X-Api-Key': '[redacted]', n: 1 }],
      IBAN: '[redacted]',
      user: { email: '[redacted]', name: 'n' },
      email: 'kept',
      card: '[redacted]',
    });
  });

  it('is not polluted by keys, and keeps what is no secret', () => {
    const value = JSON.parse('{"__proto__":{"x":1},"constructor":2,"tokens_used":5}');
    expect(JSON.stringify(redactor.value(value))).toBe('{"__proto__":{"x":1},"constructor":2,"tokens_used":5}');
  });

  it('takes time in proportion to the text, however hostile', () => {
    for (const piece of ['password=', 'a://b:', 'eyJ', 'bearer ', '"', 'token : ', ' ']) {
      const start = process.cpuUsage();
      redactor.text(piece.repeat(200_000));
      expect(process.cpuUsage(start).user / 1000).toBeLessThan(500);
    }
  });

  it('previews a huge payload without walking it', () => {
    const huge = { list: Array.from({ length: 1_000_000 }, (_, n) => ({ n })), bytes: new Uint8Array(100_000_000) };
    const start = process.cpuUsage();
    const text = preview(huge, redactor);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(200);
    expect(text.length).toBeLessThanOrEqual(1000);
  });
});
