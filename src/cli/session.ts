// Where letters are asked for: a running bus through its socket, or a stopped one's folder under its lock.
import { accessSync, constants, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemClock } from '../shared/clock.js';
import type { ControlAnswers, LetterRequest } from '../shared/control.js';
import { answerAboutLetters } from '../shared/letter-desk.js';
import type { RedactOptions } from '../shared/redact.js';
import { asCliError, CliError, Exit } from './exit.js';
import { LiveBus } from './live-bus.js';

/** Where a bus logs unless it is told otherwise. */
export const DEFAULT_FOLDER = 'data/logs/message_bus';

/** A locked folder may belong to a bus that is just starting, or to another command: tried again for so long. */
const LOCKED_PATIENCE_MS = 3000;
const LOCKED_POLL_MS = 100;

/** To be closed by who opened it. */
export interface Session {
  readonly isLive: boolean;
  /** Rejects with a {@link CliError}. */
  ask<R extends LetterRequest>(request: R): Promise<ControlAnswers[R['ask']]>;
  /** What the bus's own option names as secret. A stopped bus has left no word of it. */
  redaction(): Promise<RedactOptions>;
  close(): Promise<void>;
}

/**
 * The folder's absolute path. It must be a bus's: a command on a misspelt one would find nothing wrong in it.
 *
 * @throws CliError
 */
export function existingFolder(folder: string): string {
  const path = resolve(folder);
  const isFolder = (name: string): boolean => statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder(path))
    throw new CliError(
      Exit.UNREACHABLE,
      `there is no folder ${path}: no bus was started with this errorLogDir; ${HOW_TO_NAME}`,
    );
  if (!isFolder(join(path, 'dead_letter'))) {
    throw new CliError(Exit.UNREACHABLE, `no bus has logged into ${path}; ${HOW_TO_NAME}`);
  }
  return path;
}

const HOW_TO_NAME = 'name the right one with --dir';

/** @throws CliError */
export async function openSession(folder: string): Promise<Session> {
  const deadline = systemClock.elapsed() + LOCKED_PATIENCE_MS;
  for (;;) {
    const live = await LiveBus.connect(folder);
    if (live !== undefined) return live;
    try {
      return await StoppedBus.open(folder);
    } catch (thrown) {
      const error = asCliError(thrown);
      if (error.code !== 'BUSBAR_FOLDER_LOCKED') throw error;
      if (systemClock.elapsed() >= deadline) {
        const hint = 'and answers at no socket: ask there, or stop it. Its health tells under `control` why';
        throw new CliError(error.exit, `${error.message}, ${hint}`, error.code);
      }
    }
    await new Promise<void>((again) => systemClock.after(LOCKED_POLL_MS, again, true));
  }
}

/** Its folder is locked until it is closed, by the same logging worker that a bus has. */
class StoppedBus implements Session {
  readonly isLive = false;
  readonly #queue: import('../index.js').DeadLetterQueue;

  static async open(folder: string): Promise<StoppedBus> {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    // Loads the library only here: a live bus is asked in a fraction of the time.
    const { DeadLetterQueue } = await import('../index.js');
    // No limits: looking at letters must not retire any. That is for the bus, by its own options.
    const limits = {
      maxLetters: Number.MAX_SAFE_INTEGER,
      maxBytes: Number.MAX_SAFE_INTEGER,
      maxAgeMs: Number.MAX_SAFE_INTEGER,
    };
    const queue = new DeadLetterQueue({ storageDir: join(folder, 'dead_letter'), brief: true, ...limits });
    try {
      await queue.stats();
    } catch (error) {
      await queue.close();
      throw error;
    }
    return new StoppedBus(queue);
  }

  private constructor(queue: import('../index.js').DeadLetterQueue) {
    this.#queue = queue;
  }

  async ask<R extends LetterRequest>(request: R): Promise<ControlAnswers[R['ask']]> {
    try {
      return (await answerAboutLetters(this.#queue, request)) as ControlAnswers[R['ask']];
    } catch (error) {
      throw asCliError(error);
    }
  }

  redaction(): Promise<RedactOptions> {
    return Promise.resolve({});
  }

  close(): Promise<void> {
    return this.#queue.close();
  }
}
