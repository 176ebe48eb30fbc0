// The command `busbar dlq replay`: gives letters back to the subscriptions that failed, in a bus that runs.
import type { ReplayOptions, ReplayResult, SkipReason } from '../../shared/replay.js';
import { startApp } from '../app.js';
import { type Arguments, type Command, LETTER_FILTERS } from '../command.js';
import { CliError, Exit } from '../exit.js';
import { tellOfHeld } from '../held.js';
import { LiveBus } from '../live-bus.js';
import { existingFolder, openSession, type Session } from '../session.js';
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
    const folder = existingFolder(args.folder);
    const bus = await runningBus(folder, args.text('app'));
    const looks = tellOfHeld(folder, args.has('json'));
    try {
      if (process.stderr.isTTY && !options.dryRun) note('replaying; Ctrl-C ends the wait, not the replay');
      const result = await bus.session.ask({ ask: 'replay', which, options });
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

interface RunningBus {
  readonly session: Session;
  close(): Promise<void>;
}

/** The bus that runs in this folder; else the one that `app` builds in this process. */
async function runningBus(folder: string, app: string | undefined): Promise<RunningBus> {
  const session = await openSession(folder);
  if (session.isLive) {
    if (app !== undefined) note('a bus runs in this folder: it replays, and --app is not needed');
    return { session, close: () => session.close() };
  }
  await session.close();
  if (app === undefined) {
    const instead = 'start it and say this again, or name a module that builds it: --app ./bus.js';
    throw new CliError(Exit.REFUSED, `no bus runs in ${folder}, and only a bus can replay: ${instead}`);
  }
  const bus = await startApp(app);
  try {
    // Asked as any other: so it is sure that the app's bus owns this folder, and not another one.
    const own = await LiveBus.connect(folder);
    if (own === undefined) {
      const control = bus.getHealthStatus().control;
      const where = control === null ? 'it has error handling off' : (control.error ?? `its socket is ${control.path}`);
      throw new CliError(Exit.UNREACHABLE, `the bus of ${app} does not answer in ${folder}: ${where}`);
    }
    const close = async (): Promise<void> => {
      await own.close();
      await bus.stop();
    };
    return { session: own, close };
  } catch (error) {
    await bus.stop();
    throw error;
  }
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
