// The command `busbar dlq purge`: removes letters for good.
import type { LetterChoice } from '../../shared/logging-task.js';
import { type Command, LETTER_FILTERS } from '../command.js';
import { Exit } from '../exit.js';
import { letterFolder, withLetters } from '../letters.js';
import { confirm, print, safeJson } from '../terminal.js';
import { showWhich, whichFrom } from '../which.js';

export const dlqPurge: Command = {
  words: 'dlq purge',
  operands: '[<id>…]',
  says: 'Removes letters for good, archived ones too unless --state says which. Asks, or needs --yes.',
  options: [...LETTER_FILTERS, 'all', 'yes', 'app'],
  async run(args) {
    const which = whichFrom(args);
    const folder = letterFolder(args);
    // Asked before the folder is locked: a bus may want to start while a person thinks.
    await confirm(
      `Remove ${showWhich(which)}${mayBeArchived(which) ? ', archived ones too,' : ''} from ${folder} for good?`,
      args.has('yes'),
    );
    const purged = await withLetters(args, (session) => session.ask({ ask: 'purge', which }));
    print(args.has('json') ? safeJson({ purged }) : `${purged} purged`);
    return purged === 0 && args.operands.length > 0 ? Exit.BAD_NEWS : Exit.DONE;
  },
};

/** Ids are what they are, and a filter may name a state. */
function mayBeArchived(which: LetterChoice): boolean {
  return !Array.isArray(which) && !('state' in which);
}
