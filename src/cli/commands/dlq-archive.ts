// The command `busbar dlq archive`: keeps letters, but out of the way of replays.
import { type Command, LETTER_FILTERS } from '../command.js';
import { Exit } from '../exit.js';
import { existingFolder, withSession } from '../session.js';
import { print, safeJson } from '../terminal.js';
import { whichFrom } from '../which.js';

export const dlqArchive: Command = {
  words: 'dlq archive',
  operands: '[<id>…]',
  says: 'Keeps letters, but out of the way of replays by filter.',
  options: [...LETTER_FILTERS, 'all'],
  async run(args) {
    const which = whichFrom(args);
    const archived = await withSession(existingFolder(args.folder), (session) =>
      session.ask({ ask: 'archive', which }),
    );
    print(args.has('json') ? safeJson({ archived }) : `${archived} archived`);
    return archived === 0 && args.operands.length > 0 ? Exit.BAD_NEWS : Exit.DONE;
  },
};
