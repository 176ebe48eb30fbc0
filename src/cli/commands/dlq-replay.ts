// The command `busbar dlq replay`: gives letters back to the subscriptions that failed, in a bus that runs.
import type { ReplayOptions, ReplayResult, SkipReason } from '../../shared/replay.js';
import { type Arguments, type Command, LETTER_FILTERS } from '../command.js';
import { CliError, Exit } from '../exit.js';
import { tellOfHeld } from '../held.js';
import { letterFolder, openLetters } from '../letters.js';
import type { Session } from '../session.js';
import { note, paint, print, safe, safeJson } from '../terminal.js';
import { whichFrom } from '../which.js';

const MOST_SHOWN = 10;

export const dlqReplay: Command = {
  words: 'dlq replay',
  operands: '[<id>…]',
  says: 'Gives letters back to the subscriptions that failed. Needs a bus that runs, or --app to build one.',
  options: [...LETTER_FILTERS, 'all', 'rate', 'canary', 'dry-run', 'app'],
  async run(args) {
    const which = whichFrom(args);
    const options = optionsFrom(args);
    const folder = letterFolder(args);
    const bus = await runningBus(folder, args);
    const looks = tellOfHeld(folder, args.has('json'));
    try {
      if (process.stderr.isTTY && !options.dryRun) note('replaying; Ctrl-C ends the wait, not the replay');
      const result = await bus.ask({ ask: 'replay', which, options });
      if (args.has('json')) print(safeJson(result));
      else {
        printResult(result, options.dryRun === true);
        if (isNothing(result)) print(`no letter like that waits for a replay: see ${args.next('dlq stats')}`);
      }
      return result.failed.length + result.skipped.length > 0 || isNothing(result) ? Exit.BAD_NEWS : Exit.DONE;
    } finally {
      looks.cancel();
      await bus.close();
    }
  },
};

function optionsFrom(args: Arguments): ReplayOptions {
  const ratePerSec = args.number('rate', 0.001, false);
  const canary = args.number('canary', 1);
  return {
    ...(ratePerSec === undefined ? {} : { ratePerSec }),
    ...(canary === undefined ? {} : { canary }),
    ...(args.has('dry-run') ? { dryRun: true } : {}),
  };
}

/** The bus that runs in this folder; else the one that --app builds in this process. */
async function runningBus(folder: string, args: Arguments): Promise<Session> {
  const session = await openLetters(folder, args);
  if (session.isLive) return session;
  await session.close();
  const instead = 'start it and say this again, or name a module that builds it: --app ./bus.js';
  throw new CliError(Exit.REFUSED, `no bus runs in ${folder}, and only a bus can replay: ${instead}`);
}

/** A misspelt cause must not look like a queue that is empty. */
function isNothing({ replayed, failed, skipped, held }: ReplayResult): boolean {
  return replayed.length + failed.length + skipped.length + held.length === 0;
}

const BECAUSE: Readonly<Record<SkipReason, string>> = {
  unknown: 'there is no such letter',
  replaying: 'being replayed already',
  undecodable: 'the payload cannot be read: dlq edit gives it another',
  unsubscribed: 'this bus has no such subscription',
  breaker_open: 'the breaker is open, and its subscription gives messages up at once',
  queue_full: 'gave way to others in a full queue',
  stopping: 'the bus stopped before',
  canary: 'one of the canary was not replayed',
};

function printResult({ replayed, failed, skippedBecause, held }: ReplayResult, isDry: boolean): void {
  print(`${replayed.length} ${isDry ? 'would be replayed' : 'replayed'}`);
  if (failed.length > 0) print(`${paint('red', `${failed.length} failed again`)}${named(failed)}`);
  for (const [why, ids] of Object.entries(skippedBecause)) {
    const words = `${ids.length} ${isDry ? 'would not be' : 'not'} tried, ${BECAUSE[why as SkipReason]}`;
    print(`${paint('yellow', words)}${named(ids)}`);
  }
  if (held.length > 0) {
    print(`${paint('yellow', `${held.length} ${isDry ? 'would wait' : 'waited'} for an open breaker`)}${named(held)}`);
  }
}

function named(ids: readonly string[]): string {
  const more = ids.length > MOST_SHOWN ? ` and ${ids.length - MOST_SHOWN} more` : '';
  return `: ${safe(ids.slice(0, MOST_SHOWN).join(' '))}${more}`;
}
