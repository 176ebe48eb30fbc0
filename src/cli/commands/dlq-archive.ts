// The command `busbar dlq archive`: keeps letters, but out of the way of replays.
import { type Command, LETTER_FILTERS } from '../command.js';
import { Exit } from '../exit.js';
import { withLetters } from '../letters.js';
import { print, safeJson } from '../terminal.js';
import { whichFrom } from '../which.js';

export const dlqArchive: Command = {
  words: 'dlq archive',
  operands: '[<id>…]',
  says: 'Keeps letters, but out of the way of replays by filter. With --undo: puts them back.',
  options: [...LETTER_FILTERS, 'all', 'undo', 'app'],
  async run(args) {
    const which = whichFrom(args);
    const ask = args.has('undo') ? 'unarchive' : 'archive';
    const count = await withLetters(args, (session) => session.ask({ ask, which }));
    print(args.has('json') ? safeJson({ [`${ask}d`]: count }) : `${count} ${ask}d`);
    return count === 0 && args.operands.length > 0 ? Exit.BAD_NEWS : Exit.DONE;
  },
};
