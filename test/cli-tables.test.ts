// What the command line prints on a terminal that has little room.
import { describe, expect, it } from '@jest/globals';
import { letterLines } from '../src/cli/commands/dlq-list.js';
import { causeLines } from '../src/cli/commands/dlq-stats.js';
import { fittedTable, table } from '../src/cli/table.js';
import { fold } from '../src/cli/terminal.js';
import type { LetterGroup, LetterSummary } from '../src/shared/logging-task.js';
import { ErrorCategory } from '../src/shared/report.js';

describe('a table', () => {
  const header = ['name', 'made', 'lost', 'left', 'state'];
  const rows = [
    ['a-long-name-of-a-part', 123_456, 0, 7, 'closed'],
    ['short', 1, 0, 0, 'open'],
  ];

  it('in little room shortens texts, and never a number', () => {
    expect(table(header, rows, 38)).toEqual([
      'name          made  lost  left  state ',
      'a-long-na…  123456     0     7  closed',
      'short            1     0     0  open',
    ]);
    expect(table(header, rows, 5)[1]).toBe('a-lon…  123456     0     7  closed');
  });

  it('leaves out columns that are missed least, zeros first, and says which', () => {
    expect(fittedTable(header, rows, { optional: ['left', 'lost'] }, 80)).toEqual(table(header, rows));
    expect(fittedTable(header, rows, { optional: ['left', 'lost'] }, 38)).toEqual([
      'name                made  left  state ',
      'a-long-name-of-…  123456     7  closed',
      'short                  1     0  open',
      'no room for: lost',
    ]);
    expect(fittedTable(header, rows, { optional: ['left', 'lost'] }, 30).at(-1)).toBe('no room for: lost, left');
  });

  it('of letters or of causes cuts no id and no cause in any room: they are typed again', () => {
    const id = 'PohK2-0123456789_abcd';
    const signature = 'v1:0123456789ab';
    const shared = { error_category: ErrorCategory.MESSAGE_PROCESSING_ERROR, signature };
    const letter = {
      ...shared,
      error_id: id,
      timestamp: 1,
      subscriber_id: 'billing-of-all-orders',
      reason: 'overflow',
    };
    const counts = { retry_count: 2, replays: 0, edits: 0, state: 'dead' as const, topic: 'orders.created.abroad' };
    const group = {
      ...shared,
      topics: [],
      sample_id: id,
      count: 3,
      first: 1,
      last: 2,
      subscriber_ids: ['billing-of-all-orders'],
    };
    const sample_error = { name: 'RangeError', message: 'the amount is not a number of cents' };
    for (const room of [undefined, 120, 80, 40]) {
      const letters = letterLines([{ ...letter, ...counts } as LetterSummary], room);
      const causes = causeLines([{ ...group, sample_error } as LetterGroup], room);
      expect(letters[1]?.split(/ {2,}/)).toEqual(expect.arrayContaining([id, signature]));
      expect(causes[1]?.split(/ {2,}/)).toContain(signature);
      for (const line of [...letters.slice(0, 2), ...causes.slice(0, 2)])
        expect(line.length).toBeLessThanOrEqual(room ?? Number.POSITIVE_INFINITY);
    }
    const [header, , left] = letterLines([{ ...letter, ...counts } as LetterSummary], 80);
    expect(header?.trim().split(/ {2,}/)).toEqual(['id', 'subscriber', 'topic', 'cause']);
    expect(left).toBe('no room for: given up, category, reason, retries, replays, edits, state');
  });

  it('is followed by lines that are broken between words', () => {
    expect(fold('  only so much of it succeeded', 16)).toEqual(['  only so much', '    of it', '    succeeded']);
    expect(fold('\u001b[31mred\u001b[0m line', 8)).toEqual(['\u001b[31mred\u001b[0m line']);
  });
});
