// The user's own module that builds the bus, for what a stopped bus cannot do.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MessageBus } from '../index.js';
import { asCliError, CliError, Exit } from './exit.js';

/**
 * Imports the module and starts its bus, if that is not done yet.
 *
 * @param app path of a module whose default export is a MessageBus, or a function that returns one
 * @throws CliError
 */
export async function startApp(app: string): Promise<MessageBus> {
  if (!existsSync(app)) throw new CliError(Exit.USAGE, `there is no module ${resolve(app)} for --app`);
  let exported: unknown;
  try {
    exported = ((await import(pathToFileURL(resolve(app)).href)) as { default?: unknown }).default;
    if (typeof exported === 'function') exported = await exported();
  } catch (error) {
    throw unusable(app, error);
  }
  if (!isBus(exported)) {
    throw new CliError(Exit.USAGE, `${app} must export a MessageBus, or a function that returns one, as its default`);
  }
  try {
    await exported.start();
  } catch (error) {
    throw unusable(app, error);
  }
  return exported;
}

/** What it throws says by its code what it is, as a folder that is locked. */
function unusable(app: string, thrown: unknown): CliError {
  const { exit, message, code } = asCliError(thrown);
  return new CliError(exit, `${app} cannot be used: ${message}`, code);
}

/** By its methods: it may come from another copy of the package. */
function isBus(value: unknown): value is MessageBus {
  if (typeof value !== 'object' || value === null) return false;
  const bus = value as Partial<MessageBus>;
  return ['start', 'stop', 'getHealthStatus'].every((name) => typeof bus[name as keyof MessageBus] === 'function');
}
