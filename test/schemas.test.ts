// Every line of every file is what its JSON Schema in the package says, also when names and payloads are hostile.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { DeadLetterQueue, MessageBus } from '../src/index.js';
import { linesOf, startBus, temporaryFolder } from './test-bus.js';

const SCHEMAS = fileURLToPath(new URL('../../src/schemas/', import.meta.url));
const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });

function schema(name: string): ValidateFunction {
  return ajv.compile(JSON.parse(readFileSync(join(SCHEMAS, `${name}.schema.json`), 'utf8')));
}

const ofReport = schema('error-report');
const ofMetrics = schema('error-metrics');
const ofLetter = schema('dead-letter');
const ofChange = schema('dead-letter-change');
const ofOwner = schema('folder-owner');

function schemaOf(file: string, line: unknown): ValidateFunction {
  if (file.startsWith('message_bus_errors')) return ofReport;
  if (file === 'error_metrics.json') return ofMetrics;
  if (file === '.owner.json') return ofOwner;
  return Object.hasOwn(line as object, 'message') ? ofLetter : ofChange;
}

const NASTY = '../../x\n{"error_id":"forged"}\r\n\u2028"\\';

async function fill(bus: MessageBus, queue: DeadLetterQueue): Promise<void> {
  const handler = (payload: unknown) => {
    if (payload === 'cause')
      throw new Error(NASTY, { cause: new AggregateError([new TypeError('inner'), NASTY], 'all') });
    if (payload === 'text') throw NASTY;
    throw Object.assign(new Error('busy'), { code: 'ECONNREFUSED', status: 503, syscall: 'connect' });
  };
  await bus.subscribe('a.>', handler, { subscriberId: NASTY, breaker: false });
  const payloads = [
    'cause',
    'text',
    { a: [1, null] },
    Buffer.from([0, 10]),
    new Map([[1n, new Date(0)]]),
    undefined,
    NASTY,
  ];
  for (const payload of payloads) {
    bus.publish('a.b', payload, { id: NASTY, key: NASTY, headers: { [NASTY]: NASTY, payload: 'x', message: 'y' } });
  }
  bus.publish('not a topic', 1);
  await bus.idle();
  const ids = (await queue.list()).map(({ error_id: id }) => id);
  expect(ids).toHaveLength(payloads.length);
  await queue.edit(ids[0] as string, { payload: new Set([1]), headers: null, priority: 'low' });
  await queue.replay(ids.slice(0, 3));
  await queue.archive(ids.slice(3, 4));
  await queue.purge(ids.slice(4, 5));
  const storm = { ...(await bus.errorLogger?.recentErrors())?.[0], context: { signature: 'v1:storm' } };
  for (let n = 0; n < 50; n++) bus.errorLogger?.logError(storm as never);
  expect(bus.errorLogger?.logError({ ...storm, category: 'made_up' } as never)).toBe(false);
  expect(bus.errorLogger?.logError({ ...storm, context: { message: 'p'.repeat(5000) } } as never)).toBe(true);
  await bus.errorLogger?.flush();
}

it('holds for all that a bus writes, and all of it is private', async () => {
  const above = temporaryFolder();
  const folder = join(above, 'logs');
  const bus = await startBus({
    errorLogDir: folder,
    retry: {
      message_processing_error: { maxRetries: 1, backoffMs: 1 },
      connection_error: { maxRetries: 1, backoffMs: 1 },
    },
  });
  await fill(bus, bus.deadLetterQueue as DeadLetterQueue);

  const seen = new Set<ValidateFunction>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    expect([entry.name, statSync(path).mode & 0o777]).toEqual([entry.name, entry.isDirectory() ? 0o700 : 0o600]);
    if (!entry.isFile()) continue;
    const text = readFileSync(path, 'utf8');
    for (const line of text.endsWith('\n') ? linesOf(path) : [text]) {
      const value: unknown = JSON.parse(line);
      const validate = schemaOf(entry.name, value);
      seen.add(validate);
      expect([line.slice(0, 200), validate(value) ? [] : validate.errors]).toEqual([line.slice(0, 200), []]);
    }
  }
  expect(seen.size).toBe(5);
  expect(readdirSync(above)).toEqual(['logs']);
  expect(readdirSync(join(folder, 'dead_letter'))).toEqual([expect.stringMatching(/^dlq_\d{8}T\d{9}Z_\d+\.json$/)]);
  // The check can fail.
  expect(ofLetter({ format: 1 })).toBe(false);
});
