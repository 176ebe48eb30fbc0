// The command `busbar breaker`: the circuit breakers of a running bus; closes or opens one by hand.
import type { ControlRequest } from '../../shared/control.js';
import type { Command } from '../command.js';
import { CliError, Exit } from '../exit.js';
import { LiveBus } from '../live-bus.js';
import { existingFolder } from '../session.js';
import { table } from '../table.js';
import { columns, print, safe, safeJson } from '../terminal.js';

export const breakerList: Command = {
  words: 'breaker list',
  says: 'The circuit breakers of a running bus, by name.',
  options: [],
  async run(args) {
    const bus = await runningBus(args.folder);
    const { health } = await bus.ask({ ask: 'health' });
    await bus.close();
    const breakers = health.circuitBreakerStatus;
    if (args.has('json')) print(safeJson(breakers));
    else for (const line of table(['breaker', 'state'], Object.entries(breakers), columns())) print(line);
    return Exit.DONE;
  },
};

export const breakerReset: Command = {
  words: 'breaker reset',
  operands: '<name>',
  says: 'Closes a breaker, by its name or its subscriber, and forgets what it counted: messages flow at once.',
  options: [],
  run: (args) => move(args.folder, args.operands, 'reset', args.has('json')),
};

export const breakerOpen: Command = {
  words: 'breaker open',
  operands: '<name>',
  says: 'Opens a breaker until it is reset: its messages wait.',
  options: [],
  run: (args) => move(args.folder, args.operands, 'open', args.has('json')),
};

type Move = Extract<ControlRequest, { ask: 'breaker' }>['command'];

async function move(folder: string, names: readonly string[], command: Move, isJson: boolean): Promise<Exit> {
  const [name, ...others] = names;
  if (name === undefined || others.length > 0) {
    throw new CliError(Exit.USAGE, `breaker ${command} takes one name: see \`breaker list\``);
  }
  const bus = await runningBus(folder);
  let moved: string | null;
  try {
    moved = await bus.ask({ ask: 'breaker', name, command });
  } finally {
    await bus.close();
  }
  if (moved === null) {
    throw new CliError(Exit.BAD_NEWS, `there is no breaker ${JSON.stringify(name)}: see \`breaker list\``);
  }
  if (isJson) print(safeJson({ name: moved, command }));
  else print(`${safe(moved)} is ${command === 'reset' ? 'closed' : 'open until it is reset'}`);
  return Exit.DONE;
}

async function runningBus(folder: string): Promise<LiveBus> {
  const path = existingFolder(folder);
  const bus = await LiveBus.connect(path);
  if (bus === undefined) throw new CliError(Exit.REFUSED, `no bus answers in ${path}: breakers live in a running one`);
  return bus;
}
