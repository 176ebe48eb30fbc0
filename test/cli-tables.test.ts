// What the command line prints on a terminal that has little room.
import { describe, expect, it } from '@jest/globals';
import { fittedTable, table } from '../src/cli/table.js';
import { fold } from '../src/cli/terminal.js';

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
    expect(fittedTable(header, rows, ['left', 'lost'], 80)).toEqual(table(header, rows));
    expect(fittedTable(header, rows, ['left', 'lost'], 38)).toEqual([
      'name                made  left  state ',
      'a-long-name-of-…  123456     7  closed',
      'short                  1     0  open',
      'no room for: lost',
    ]);
    expect(fittedTable(header, rows, ['left', 'lost'], 30).at(-1)).toBe('no room for: lost, left');
  });

  it('is followed by lines that are broken between words', () => {
    expect(fold('  only so much of it succeeded', 16)).toEqual(['  only so much', '    of it', '    succeeded']);
    expect(fold('\u001b[31mred\u001b[0m line', 8)).toEqual(['\u001b[31mred\u001b[0m line']);
  });
});
