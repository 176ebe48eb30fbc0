// Secrets stay on their thread, and looking for them costs bounded work.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { toErrorRecord } from '../src/shared/error-record.js';
import { createRedactor, preview } from '../src/shared/redact.js';
import { withoutSecrets } from '../src/shared/secret-texts.js';

const redactor = createRedactor();

/** Of processor time: what other programs do meanwhile does not count. */
function millisecondsOf(run: () => unknown): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
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
    'git clone https://hunter2@github.com/x failed',
    'connect postgres://user:ab/hunter2@db/x',
    'connect postgres://user:ab@hunter2@db/x',
    String.raw`{"url":"https:\/\/user:hunter2@host"}`,
    'Authorization: Digest username="bob", realm="r", response="hunter2"',
    'Authorization: OAuth oauth_token="abc", oauth_signature="hunter2"',
    String.raw`{"authorization":"Digest username=\"bob\", response=\"hunter2\""}`,
    'Cookie: theme="dark"; session=hunter2',
    "cookie: name=o'neil; session=hunter2",
    'set-cookie: sid="q"; x=hunter2',
    '["Cookie","sid=hunter2"]',
    "[ 'password', 'hunter2' ]",
    '{"name":"Authorization","value":"hunter2"}',
    '{"password":["a","hunter2"]}',
    '{"password":{"}":"]","value":"hunter2"}}',
    JSON.stringify(JSON.stringify(JSON.stringify({ password: 'a"b\\hunter2' }))),
    JSON.stringify({ body: JSON.stringify({ inner: JSON.stringify({ token: { a: '"', b: 'hunter2' } }) }) }),
    '<password>hunter2</password>',
    '<ns:password type="text"><![CDATA[a<b hunter2]]></ns:password>',
    'a token was bad: password=hunter2 >',
    "env['PASSWORD'] = 'hunter2'",
    "token => 'hunter2'",
    'Bearer "hunter2hunter2"',
    'eyJhbGciOiJkaXIifQ..hunter2.hunter2.hunter2',
    '-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----',
    '-----BEGIN OPENSSH PRIVATE KEY-----\nthe rest is cut hunter2',
    'GET https://bucket.example.org/x?X-Amz-Signature=hunter2&y=1',
    'newPassword1=hunter2',
    'tokens: hunter2',
  ])('is taken out of %j whole', (text) => {
    expect(redactor.text(text)).not.toContain('hunter2');
    expect(redactor.text(text)).toContain('[redacted]');
  });

  it('does not take its surroundings along', () => {
    expect(redactor.text('GET /x?token=hunter2&page=3 failed')).toBe('GET /x?token=[redacted]&page=3 failed');
    expect(redactor.text('Cookie: sid=hunter2\nHost: example.org')).toBe('Cookie: [redacted]\nHost: example.org');
    expect(redactor.text("{ password: 'hunter2', user: 'bob' }")).toBe("{ password: [redacted], user: 'bob' }");
    expect(redactor.text('<password>hunter2</password><user>bob</user>')).toBe(
      '<password>[redacted]</password><user>bob</user>',
    );
    expect(redactor.text('{"password":["a"],"user":"bob"}')).toBe('{"password":[redacted],"user":"bob"}');
    for (const harmless of [
      '12 tokens used',
      'Unexpected token } in JSON at 4',
      'at read (/app/secrets.js:10:5)',
      'at read (file:///app/node_modules/.pnpm/piscina@5.3.2/node_modules/piscina/index.js:10:5)',
      'GET https://registry.npmjs.org/@types/node failed',
      '-----BEGIN PUBLIC KEY-----',
      'if (tokens>5) return',
    ]) {
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

describe('a secret in a value', () => {
  const shown = (value: unknown): string => JSON.stringify(redactor.value(value));

  it.each<[string, unknown]>([
    ['raw headers', ['Cookie', 'sid=hunter2', 'X-Api-Key', 'hunter2']],
    ['pairs', [['password', 'hunter2']]],
    [
      'names with values',
      [
        { name: 'Authorization', value: 'hunter2' },
        { value: 'hunter2', key: 'token' },
      ],
    ],
    [
      'a Map that names a header',
      new Map([
        ['value', 'hunter2'],
        ['header', 'Cookie'],
      ]),
    ],
    ['cookies', { cookies: { sid: 'hunter2' } }],
    ['names in the plural', { passwords: ['hunter2'], tokens: ['hunter2'], apiKeys: 'hunter2' }],
    [
      'names that are joined or numbered',
      { userpassword: 'hunter2', db_pwd: 'hunter2', newPassword1: 'hunter2', token1: 'hunter2' },
    ],
    ['names that go on', { passwordHash: 'hunter2', privateKeyPem: 'hunter2', 'access-token-v2': 'hunter2' }],
    ['the field of a login', { user: 'bob', pass: 'hunter2', smtpPass: 'hunter2' }],
    ['a bearer token as a key', { 'Bearer hunter2hunter2': 1 }],
    ['a URL as a key', { [`https://bob:${'x'.repeat(300)}hunter2@host`]: 1 }],
    ['a JWT as the key of a Map', new Map([['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx.hunter2', 1]])],
  ])('is not shown in %s', (_name, value) => {
    expect(shown(value)).not.toContain('hunter2');
    expect(shown(value)).toContain('[redacted]');
  });

  it('leaves names alone that stand in a list of other things', () => {
    expect(redactor.value(['token', 'user', 'password'])).toEqual(['token', 'user', 'password']);
    expect(shown({ name: 'colour', value: 'red' })).toBe('{"name":"colour","value":"red"}');
  });

  it('is not shown in the name or code of an error', () => {
    const error = Object.assign(new Error('x'), { name: 'password=hunter2', code: 'token=hunter2' });
    expect(JSON.stringify(toErrorRecord(error, redactor))).not.toContain('hunter2');
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
    ['://'],
    ['://a:b@'],
    ['token '],
    ['token:['],
    ['token \\"'],
    ['"token", "'],
    ['<token>'],
    ['</token><token>'],
    ['-----BEGIN KEY-----'],
    ['tokens12345678'],
    ['\\'],
    ['token="\\\\'],
  ])('a text of %j again and again takes linear time', (piece) => {
    const text = piece.repeat(1e6 / piece.length);
    expect(millisecondsOf(() => redactor.text(text))).toBeLessThan(300);
    // Also without the limit on what is looked at: a square of it would take minutes.
    expect(millisecondsOf(() => withoutSecrets(text))).toBeLessThan(1500);
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
