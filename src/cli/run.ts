// Finds the command that was typed, runs it, and tells how it ended.
import { readFileSync } from 'node:fs';
import { nearest } from '../shared/nearest.js';
import { Arguments, type Command, helpOf } from './command.js';
import { breakerList, breakerOpen, breakerReset } from './commands/breaker.js';
import { dlqArchive } from './commands/dlq-archive.js';
import { dlqEdit } from './commands/dlq-edit.js';
import { dlqList } from './commands/dlq-list.js';
import { dlqPurge } from './commands/dlq-purge.js';
import { dlqReplay } from './commands/dlq-replay.js';
import { dlqShow } from './commands/dlq-show.js';
import { dlqStats } from './commands/dlq-stats.js';
import { errorsList } from './commands/errors-list.js';
import { errorsShow } from './commands/errors-show.js';
import { errorsStats } from './commands/errors-stats.js';
import { errorsTail } from './commands/errors-tail.js';
import { health } from './commands/health.js';
import { watch } from './commands/watch.js';
import { asCliError, CliError, Exit } from './exit.js';
import { note, print, safe, safeJson } from './terminal.js';

const COMMANDS: readonly Command[] = [
  ...[health, watch, dlqStats, dlqList, dlqShow, dlqReplay, dlqEdit, dlqArchive, dlqPurge],
  ...[errorsTail, errorsList, errorsShow, errorsStats, breakerList, breakerReset, breakerOpen],
];

const EXIT_CODES: readonly [Exit, string][] = [
  [Exit.DONE, 'done; for health: healthy'],
  [Exit.BAD_NEWS, 'done, with bad news: not healthy, no such letter, letters that failed again or were skipped'],
  [Exit.USAGE, 'the command line is wrong; nothing was done'],
  [Exit.REFUSED, 'refused: it needs --yes, or a running bus, and has none; nothing was done'],
  [Exit.UNREACHABLE, 'neither a bus nor a folder to work on: missing, locked, not permitted'],
  [Exit.FAILED, 'failed on the way'],
];

/** Never rejects: what goes wrong is told on standard error, as JSON where that is asked for. */
export async function runCommandLine(argv: readonly string[]): Promise<Exit> {
  try {
    return await run(argv);
  } catch (thrown) {
    const { exit, code, message } = asCliError(thrown);
    if (argv.includes('--json')) note(safeJson({ error: { code, message } }));
    else note(safe(`busbar: ${message}`));
    return exit;
  }
}

async function run(argv: readonly string[]): Promise<Exit> {
  const command = COMMANDS.find(({ words }) => words.split(' ').every((word, index) => argv[index] === word));
  if (command === undefined) return withoutCommand(argv);
  const args = new Arguments(command, argv.slice(command.words.split(' ').length));
  if (!args.has('help')) return command.run(args);
  for (const line of helpOf(command)) print(line);
  return Exit.DONE;
}

/** @throws CliError */
function withoutCommand(argv: readonly string[]): Exit {
  const [group, second] = argv;
  if (group === '--version' || group === '-v') {
    print(versionOfPackage());
    return Exit.DONE;
  }
  const isAsked = group === 'help' || argv.includes('--help') || argv.includes('-h');
  // Half a command: what may follow is what was wanted to know.
  const isUnfinished = group === undefined || (isGroup(group) && (second === undefined || second.startsWith('-')));
  if (!isAsked && !isUnfinished)
    throw new CliError(Exit.USAGE, `there is no command ${JSON.stringify(wordsOf(argv) || group)}: ${insteadOf(argv)}`);
  for (const line of help(group === 'help' ? second : group)) print(line);
  return isAsked ? Exit.DONE : Exit.USAGE;
}

function insteadOf(argv: readonly string[]): string {
  const found = nearest(
    argv.slice(0, 2).join(' '),
    COMMANDS.map(({ words }) => words),
  );
  return found === undefined ? 'see busbar --help' : `did you mean busbar ${found}?`;
}

function wordsOf(argv: readonly string[]): string {
  const options = argv.findIndex((word) => word.startsWith('-'));
  return argv.slice(0, options < 0 ? argv.length : options).join(' ');
}

function versionOfPackage(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function isGroup(group: string): boolean {
  return COMMANDS.some(({ words }) => words.startsWith(`${group} `));
}

/** @param group of commands, such as `dlq`; all of them where there is no such group */
function help(group: string | undefined): string[] {
  const ofGroup = COMMANDS.filter(({ words }) => words.split(' ')[0] === group);
  const commands = ofGroup.length > 0 ? ofGroup : COMMANDS;
  const width = Math.max(...commands.map(({ words }) => words.length));
  return [
    'busbar <command> [options]: looks into the folder of a bus, running or stopped',
    '',
    ...commands.map(({ words, says }) => `  ${words.padEnd(width)}  ${says}`),
    '',
    'Everywhere: --dir <folder> (the errorLogDir of the bus), --json, --help. busbar --version, or -v.',
    'Exit codes:',
    ...EXIT_CODES.map(([code, says]) => `  ${code}  ${says}`),
  ];
}
