// Secrets stay on their thread, and looking for them costs bounded work.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toErrorRecord } from '../src/shared/error-record.js';
import { createRedactor, preview } from '../src/shared/redact.js';

const redactor = createRedactor();

function millisecondsOf(run: () => unknown): number {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / 1e6;
}

describe('a secret in a text', () => {
  it.each([
    `password=${'x'.repeat(1500)}hunter2`,
    'DB_PASSWORD=hunter2',
    'userPassword: hunter2',
    'GITHUB_TOKEN=hunter2',
    'AWS_SECRET_ACCESS_KEY = hunter2',
    'private-key: hunter2',
    String.raw`{"password":"ab\"hunter2"}`,
    String.raw`{"body":"{\"password\":\"hunter2\"}"}`,
    "{ password: 'two words and hunter2' }",
    'the text ends here: "secret":"hunter2',
    'Cookie: theme=dark; sid=hunter2',
    'set-cookie: theme=dark; Path=/; sid=hunter2',
    'Authorization: Digest username=bob, response=hunter2',
    'Authorization: hunter2',
    `amqp://bob:${'x'.repeat(300)}hunter2@host`,
  ])('is taken out of %j whole', (text) => {
    expect(redactor.text(text)).not.toContain('hunter2');
    expect(redactor.text(text)).toContain('[redacted]');
  });

  it('does not take its surroundings along', () => {
    expect(redactor.text('GET /x?token=hunter2&page=3 failed')).toBe('GET /x?token=[redacted]&page=3 failed');
    expect(redactor.text('Cookie: sid=hunter2\nHost: example.org')).toBe('Cookie: [redacted]\nHost: example.org');
    expect(redactor.text("{ password: 'hunter2', user: 'bob' }")).toBe("{ password: [redacted], user: 'bob' }");
    for (const harmless of ['12 tokens used', 'Unexpected token } in JSON at 4', 'at read (/app/secrets.js:10:5)']) {
      expect(redactor.text(harmless)).toBe(harmless);
    }
  });

  it('is found wherever it stands', () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    fc.assert(
      fc.property(
        fc.array(word),
        fc.array(word),
        fc.constantFrom('password=', 'token: ', '"api_key":'),
        (a, b, name) => {
          const text = [...a, `${name}hunter2`, ...b].join(' ');
          expect(redactor.text(text)).not.toContain('hunter2');
        },
      ),
    );
  });
});

describe('a secret field', () => {
  it('is known by the end of its name, too', () => {
    const value = { dbPassword: 1, GITHUB_TOKEN: 1, 'stripe-api-key': 1, tokenCount: 2, passwordless: 3, monkey: 4 };
    expect({ ...(redactor.value(value) as object) }).toEqual({
      dbPassword: '[redacted]',
      GITHUB_TOKEN: '[redacted]',
      'stripe-api-key': '[redacted]',
      tokenCount: 2,
      passwordless: 3,
      monkey: 4,
    });
  });
});

describe('a pattern of the user', () => {
  it.each([['('], ['x*'], ['^'], [5]])('%j is refused, for it is none, or would match everywhere', (pattern) => {
    expect(() => createRedactor({ patterns: [pattern as string] })).toThrow(
      expect.objectContaining({ code: 'BUSBAR_INVALID_OPTION', message: expect.stringContaining('redact.patterns') }),
    );
  });

  it('is tried on texts that busbar itself finds harmless', () => {
    expect(createRedactor({ patterns: ['hunter\\d'] }).text('say hunter2')).toBe('say [redacted]');
  });
});

describe('looking at a huge or hostile value', () => {
  it.each<[string, () => unknown]>([
    ['a boxed text of 10 MB', () => new String('x'.repeat(1e7))],
    ['a Map with a key of a million members', () => new Map([[new Array(1e6).fill('abc'), 1]])],
    [
      'ten thousand texts of 16 KB',
      () => Array.from({ length: 100 }, () => new Array(100).fill('some words of text, '.repeat(800))),
    ],
    [
      'arrays of arrays of arrays',
      () => Array.from({ length: 100 }, () => new Array(100).fill(new Array(100).fill(1))),
    ],
  ])('%s is bounded work', (_name, make) => {
    const value = make();
    expect(millisecondsOf(() => expect(preview(value, redactor).length).toBeLessThanOrEqual(1000))).toBeLessThan(300);
  });

  it.each([
    ['eyJ-'],
    ['eyJaaaaa.'],
    ['token="'],
    ["secret='"],
    ['cookie: '],
    ['password:\\"'],
    ['a://b:c'],
    ['basic  '],
  ])('a text of %j again and again takes linear time', (piece) => {
    expect(millisecondsOf(() => redactor.text(piece.repeat(1e6 / piece.length)))).toBeLessThan(300);
  });

  it.each<[string, () => unknown]>([
    [
      'a trap that throws a Proxy whose own traps throw',
      () =>
        new Proxy(
          {},
          {
            getPrototypeOf: () => {
              throw new Error('trap');
            },
            get: () => {
              throw new Error('trap');
            },
          },
        ),
    ],
    [
      'a trap that throws an error whose message throws',
      () =>
        Object.assign(new Error('x'), {
          message: {
            toString: () => {
              throw new Error('message');
            },
          },
        }),
    ],
  ])('%s is contained', (_name, make) => {
    const thrower = new Proxy(
      {},
      {
        ownKeys: () => {
          throw make();
        },
      },
    );
    expect(redactor.value(thrower)).toBe('[threw: object]');
    expect(toErrorRecord(thrower, redactor)).toEqual({ name: 'thrown object', message: '[threw: object]' });
  });

  it('does not leak through what a getter throws', () => {
    const value = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('password=hunter2');
        },
      },
    );
    expect(redactor.value(value)).toBe('[threw: password=[redacted]');
  });
});
