// Topics, patterns, and who gets what.
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { laneOfKey } from '../src/routing/partition.js';
import { Router } from '../src/routing/router.js';
import { assertPattern, isTopic } from '../src/shared/topics.js';
import { memoryInUse } from './heap.js';

const token = fc.constantFrom('a', 'b', 'c', 'dd');
const topic = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join('.'));
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { maxLength: 4 }), fc.oneof(token, fc.constantFrom('*', '>')))
  .map(([tokens, last]) => [...tokens, last].join('.'));

/** Token by token. */
function matches(topicTokens: readonly string[], patternTokens: readonly string[]): boolean {
  const [first, ...rest] = patternTokens;
  if (first === undefined) return topicTokens.length === 0;
  if (topicTokens.length === 0) return false;
  if (first === '>') return true;
  return (first === '*' || first === topicTokens[0]) && matches(topicTokens.slice(1), rest);
}

/** Adds the pattern to both, or takes it out of both. */
function change(router: Router<string>, model: Set<string>, p: string, remove: boolean): void {
  if (remove) {
    expect(router.remove(p, p)).toBe(model.delete(p));
    return;
  }
  if (!model.has(p)) router.add(p, p);
  model.add(p);
}

describe('the router', () => {
  it('keeps nothing of what is no topic', () => {
    const router = new Router<string>();
    const before = memoryInUse().heap;
    for (let n = 0; n < 3; n++) expect(router.match(`${'x '.repeat(4e6)}${n}`)).toBeUndefined();
    expect(memoryInUse().heap - before).toBeLessThan(4e6);
  });

  it('finds what matching token by token finds, while subscriptions come and go', () => {
    // Some come again and again: what was taken out, or was remembered, must have been there.
    const known = {
      pattern: fc.constantFrom('a', 'a.b', 'a.*', 'a.>', '*.b', '>'),
      topic: fc.constantFrom('a', 'a.b', 'b.b'),
    };
    const topics = fc.array(fc.oneof(topic, known.topic), { maxLength: 4 });
    const step = fc.record({ pattern: fc.oneof(pattern, known.pattern), remove: fc.boolean(), topics });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const router = new Router<string>();
        const model = new Set<string>();
        for (const { pattern: p, remove, topics } of steps) {
          change(router, model, p, remove);
          const expected = topics.map((t) => [...model].filter((m) => matches(t.split('.'), m.split('.'))).sort());
          expect(topics.map((t) => [...(router.match(t) ?? [])].sort())).toEqual(expected);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('does not know malformed topics', () => {
    const router = new Router<number>();
    router.add('>', 1);
    for (const bad of ['', '.', 'a.', '.a', 'a..b', 'a.*', '>', 'a b', 'a\nb', 'a\u0000', 'x'.repeat(257), 5, null]) {
      expect(router.match(bad as string)).toBeUndefined();
    }
  });

  it('does not grow with the number of topics', () => {
    const router = new Router<number>();
    router.add('sensor.>', 1);
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 200_000; n++) router.match(`sensor.${n}`);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50e6);
  });
});

describe('topics', () => {
  it('may have any letters, but no blanks and no wildcards', () => {
    for (const good of ['a', 'größe.übung', 'a-b_c.1', '日本.語', '$sys.x', '__proto__', 'constructor.x'])
      expect(isTopic(good)).toBe(true);
    for (const good of ['*', '>', 'a.*', 'a.>', '*.b.>']) expect(() => assertPattern(good)).not.toThrow();
    for (const bad of ['>.a', 'a.>>', '**', 'a*', '', 'a. ']) {
      expect(() => assertPattern(bad)).toThrow(expect.objectContaining({ code: 'BUSBAR_INVALID_TOPIC' }));
    }
  });
});

describe('partitioning', () => {
  it('gives a key the same lane again, and spreads keys evenly', () => {
    const counts = new Array<number>(8).fill(0);
    for (let n = 0; n < 16_000; n++) {
      const lane = laneOfKey(`camera-${n}`, 8);
      counts[lane] = (counts[lane] ?? 0) + 1;
    }
    for (let n = 0; n < 100; n++) expect(laneOfKey(`camera-${n}`, 8)).toBe(laneOfKey(`camera-${n}`, 8));
    for (const count of counts) expect(Math.abs(count - 2_000)).toBeLessThan(220);
  });
});
