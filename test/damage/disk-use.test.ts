// What the files of the dead-letter queue come to on the disk, beside what is kept in them.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { headerOf } from '../../src/observe/given-up.js';
import { FRESH, letterText } from '../../src/shared/letter-text.js';
import type { LogLimits } from '../../src/shared/logging-task.js';
import { Codec } from '../../src/shared/message.js';
import { createRedactor } from '../../src/shared/redact.js';
import { Erasure } from '../../workers/logging/erasure.js';
import { Letters } from '../../workers/logging/letters.js';
import { Segments } from '../../workers/logging/segments.js';
import { Upkeep } from '../../workers/logging/upkeep.js';
import { REPORT } from '../letter-queues.js';
import { randomFrom } from '../random.js';
import { temporaryFolder } from '../test-bus.js';

const MIB = 1024 * 1024;
const KEPT = 4 * MIB;

it('is twice maxBytes and 64 MiB at the most, whatever is added, changed and removed', () => {
  const folder = temporaryFolder();
  const limits = { maxLetters: 1e6, maxLetterBytes: KEPT, maxLetterAgeMs: 1e12 } as LogLimits;
  const segments = new Segments(folder, Date.now);
  const erasure = new Erasure(segments);
  const letters = new Letters(segments, erasure, limits);
  const upkeep = new Upkeep(letters, segments, erasure);
  const random = randomFrom(7);
  const bytesOnDisk = (): number =>
    readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  let most = 0;
  for (let round = 0; round < 60; round++) {
    const group = Array.from({ length: 8 }, () => {
      const payload = Buffer.alloc(1000 + Math.floor(random() * 150_000), 'x');
      const header = headerOf({ topic: 'a', payload }, REPORT, 'manual', Codec.BUFFER, round, createRedactor());
      const { head, tail } = letterText(header, FRESH);
      return { codec: header.payload_codec, head: Buffer.from(head), tail: Buffer.from(tail), payload };
    });
    letters.add(group);
    const ids = letters.ids({});
    letters.remove(
      ids.filter(() => random() < 0.05),
      round,
    );
    letters.move(ids, 'dead', 'archived', round);
    letters.move(ids, 'archived', 'dead', round);
    if (round % 10 === 0) letters.retire(round, round, true);
    most = Math.max(most, bytesOnDisk());
    upkeep.compact();
    most = Math.max(most, bytesOnDisk());
  }
  while (upkeep.compact());
  letters.retire(60, 60, true);
  while (upkeep.compact() || upkeep.erase());
  expect(letters.index.bytes).toBeLessThanOrEqual(KEPT);
  expect({ most, isWithin: most <= 2 * KEPT + 64 * MIB }).toEqual({ most, isWithin: true });
  expect(bytesOnDisk()).toBeLessThanOrEqual(2 * KEPT + 4 * MIB);
  expect(letters.read(letters.ids({}))).toHaveLength(letters.index.size);
  segments.close();
});
