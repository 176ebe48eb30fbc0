// The command `busbar dlq list`: dead letters, without their payloads.
import { MOST_LISTED } from '../../shared/control.js';
import type { LetterSummary } from '../../shared/logging-task.js';
import { type Command, LETTER_FILTERS } from '../command.js';
import { CliError, Exit } from '../exit.js';
import { noteStream, withLetters } from '../letters.js';
import { type Fit, fittedTable } from '../table.js';
import { columns, print, safeJson } from '../terminal.js';
import { showTime } from '../when.js';
import { filterFrom, showSubscriber } from '../which.js';

const BY_DEFAULT = 50;
/** `id` and `cause` are typed again, as `dlq show <id>` and `--signature <cause>`. */
const FIT: Fit = {
  optional: ['edits', 'replays', 'state', 'retries', 'category', 'reason', 'given up', 'topic', 'subscriber'],
  whole: ['id', 'given up', 'cause'],
};

export const dlqList: Command = {
  words: 'dlq list',
  says: `Dead letters, oldest first, without their payloads; ${BY_DEFAULT} (with --json ${MOST_LISTED}) unless --limit says otherwise.`,
  options: [...LETTER_FILTERS, 'app'],
  async run(args) {
    const filter = filterFrom(args);
    const { limit = args.has('json') ? MOST_LISTED : BY_DEFAULT } = filter;
    if (limit > MOST_LISTED) {
      throw new CliError(Exit.USAGE, `--limit must be at most ${MOST_LISTED}; for more, go by --since and --until`);
    }
    // One more than is shown tells whether that is all.
    const request = { ask: 'letters', filter: { ...filter, limit: limit + 1 } } as const;
    const found = await withLetters(args, async (session) => {
      const letters = await session.ask(request);
      if (letters.length === 0) noteStream(session);
      return letters;
    });
    const letters = found.slice(0, limit);
    if (args.has('json')) print(safeJson({ letters, truncated: found.length > limit }));
    else {
      for (const line of letterLines(letters, columns())) print(line);
      if (found.length > limit) print(`… and more: --limit, or a filter (--since 2h, --subscriber …)`);
    }
    return Exit.DONE;
  },
};

/** @param most columns of the terminal; undefined: any number */
export function letterLines(letters: readonly LetterSummary[], most?: number): string[] {
  if (letters.length === 0) return ['no letters'];
  const header = [
    'id',
    'given up',
    'subscriber',
    'topic',
    'category',
    'reason',
    'retries',
    'replays',
    'edits',
    'state',
    'cause',
  ];
  const rows = letters.map((letter) => [
    letter.error_id,
    showTime(letter.timestamp),
    showSubscriber(letter.subscriber_id),
    letter.topic,
    letter.error_category,
    letter.reason,
    letter.retry_count,
    letter.replays,
    letter.edits,
    letter.state,
    letter.signature,
  ]);
  return fittedTable(header, rows, FIT, most);
}
