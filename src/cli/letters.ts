// Where a command about letters asks: the bus of a folder, running or stopped, or the one that the module behind --app builds.
import { resolve } from 'node:path';
import { startApp } from './app.js';
import type { Arguments } from './command.js';
import { CliError, Exit } from './exit.js';
import { LiveBus } from './live-bus.js';
import { existingFolder, openSession, type Session } from './session.js';
import { note } from './terminal.js';

/** Where letters lie, as an absolute path. With --app its bus may make the folder. @throws CliError */
export function letterFolder(args: Arguments): string {
  return args.text('app') === undefined ? existingFolder(args.folder) : resolve(args.folder);
}

/** Runs one piece of work on a session of its own, so that a folder is locked, or an app's bus runs, no longer than that. */
export async function withLetters<T>(args: Arguments, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await openLetters(letterFolder(args), args);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** Where nothing was found in a stopped bus's folder, which knows nothing of its transport. */
export function noteStream({ isLive }: Pick<Session, 'isLive'>): void {
  if (isLive) return;
  note(
    '(this folder only: letters of a bus on JetStream lie in its stream; --app, the module that builds it, asks there)',
  );
}

/** To be closed by who opened it. @throws CliError */
export async function openLetters(folder: string, args: Arguments): Promise<Session> {
  const app = args.text('app');
  if (app === undefined) return openSession(folder);
  const live = await LiveBus.connect(folder);
  if (live === undefined) return openApp(folder, app);
  note('a bus runs in this folder: it is asked, and --app is not needed');
  return live;
}

/** The bus that `app` builds in this process; stopped when the session is closed. @throws CliError */
async function openApp(folder: string, app: string): Promise<Session> {
  const bus = await startApp(app);
  try {
    // Asked as any other: so it is sure that the app's bus owns this folder, and not another one.
    const own = await LiveBus.connect(folder);
    if (own === undefined) {
      const control = bus.getHealthStatus().control;
      const where = control === null ? 'it has error handling off' : (control.error ?? `its socket is ${control.path}`);
      throw new CliError(Exit.UNREACHABLE, `the bus of ${app} does not answer in ${folder}: ${where}`);
    }
    return {
      isLive: true,
      ask: (request) => own.ask(request),
      redaction: () => own.redaction(),
      close: async () => {
        await own.close();
        await bus.stop();
      },
    };
  } catch (error) {
    await bus.stop();
    throw error;
  }
}
