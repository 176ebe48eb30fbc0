// What a command is made of, and the options that commands share.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { meant } from '../shared/nearest.js';
import { CliError, Exit } from './exit.js';
import { DEFAULT_FOLDER } from './session.js';

interface Option {
  readonly type: 'string' | 'boolean';
  /** Stands for the value in the help. */
  readonly value?: string;
  readonly says: string;
}

/** Every option there is; each means the same in all commands. */
const OPTIONS = {
  dir: { type: 'string', value: 'folder', says: `the bus's errorLogDir; default ${DEFAULT_FOLDER}` },
  json: { type: 'boolean', says: 'JSON for programs instead of tables for people' },
  help: { type: 'boolean', says: 'this help' },
  topic: { type: 'string', value: 'topic', says: 'of this topic, or pattern: * is one token, a final > the rest' },
  subscriber: { type: 'string', value: 'id', says: 'of this subscriber' },
  category: { type: 'string', value: 'name', says: 'of this category, as timeout_error' },
  reason: { type: 'string', value: 'name', says: 'given up for this reason, as retries_exhausted' },
  signature: { type: 'string', value: 'v1:…', says: 'of this cause: see `dlq stats`' },
  state: { type: 'string', value: 'name', says: 'dead, pending_replay or archived' },
  severity: { type: 'string', value: 'name', says: 'low, medium, high or critical' },
  until: { type: 'string', value: 'when', says: 'before: as --since' },
  since: { type: 'string', value: 'when', says: 'at or after: 90s, 15m, 8h, 2d ago, or a date' },
  limit: { type: 'string', value: 'n', says: 'at most so many' },
  all: { type: 'boolean', says: 'all letters, where neither ids nor a filter say which' },
  yes: { type: 'boolean', says: 'do not ask' },
  payload: { type: 'boolean', says: 'show payloads, with secrets redacted' },
  unmask: { type: 'boolean', says: 'show payloads as they are, secrets too' },
  set: { type: 'string', value: 'json', says: 'the new payload' },
  file: { type: 'string', value: 'path', says: 'a file with the new payload as JSON; - for standard input' },
  key: { type: 'string', value: 'key', says: 'the new key' },
  priority: { type: 'string', value: 'name', says: 'the new priority: low, normal, high or critical' },
  undo: { type: 'boolean', says: 'takes archiving back' },
  rate: { type: 'string', value: 'n', says: 'letters a second at most' },
  canary: { type: 'string', value: 'n', says: 'first so many; go on only if all of them succeed' },
  'dry-run': { type: 'boolean', says: 'only say what would be done' },
  app: {
    type: 'string',
    value: 'module',
    says: 'on a stopped bus: builds it, and runs it meanwhile; exports a MessageBus or a function for one',
  },
  'no-follow': { type: 'boolean', says: 'end after what is there' },
} as const satisfies Record<string, Option>;
export type OptionName = keyof typeof OPTIONS;

/** Filters of letters. */
export const LETTER_FILTERS: readonly OptionName[] = [
  'topic',
  'subscriber',
  'category',
  'reason',
  'signature',
  'state',
  'since',
  'until',
  'limit',
];

/** An error_id may begin with a dash; no option is as long. */
const DASHED_ID = /^-[\w-]{20}$/;

/** One command of the command line. */
export interface Command {
  /** As typed, such as `dlq list`. */
  readonly words: string;
  /** What follows the words, for the help. */
  readonly operands?: string;
  readonly says: string;
  /** Beside `dir`, `json` and `help`. */
  readonly options: readonly OptionName[];
  /** Returns the exit code, or throws. */
  run(args: Arguments): Promise<Exit>;
}

/** What was typed after the words. */
export class Arguments {
  readonly operands: readonly string[];
  readonly #values: Readonly<Record<string, string | boolean | undefined>>;

  /** @throws CliError for an option that the command does not have, or an operand where it takes none */
  constructor(command: Command, argv: readonly string[]) {
    const options: NonNullable<ParseArgsConfig['options']> = {};
    for (const name of optionsOf(command)) options[name] = { type: OPTIONS[name].type };
    const ids = argv.filter((word) => DASHED_ID.test(word));
    const { values, positionals } = parsed(command, {
      args: argv.filter((word) => !DASHED_ID.test(word)),
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
    this.operands = [...positionals, ...ids];
    this.#values = values as Record<string, string | boolean | undefined>;
    if (command.operands === undefined && positionals[0] !== undefined) {
      throw new CliError(Exit.USAGE, `${command.words} takes no ${JSON.stringify(positionals[0])}`);
    }
  }

  has(name: OptionName): boolean {
    return this.#values[name] === true;
  }

  text(name: OptionName): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** @throws CliError when it is no number, or less than `least` */
  number(name: OptionName, least: number, isWhole = true): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (text.trim() !== '' && number >= least && (isWhole ? Number.isSafeInteger(number) : Number.isFinite(number))) {
      return number;
    }
    const rule = `a ${isWhole ? 'whole ' : ''}number of at least ${least}`;
    throw new CliError(Exit.USAGE, `--${name} must be ${rule}; received ${JSON.stringify(text)}`);
  }

  get folder(): string {
    return this.text('dir') ?? DEFAULT_FOLDER;
  }

  /** What to type next, to be copied: on the same folder. */
  next(words: string): string {
    const dir = this.text('dir');
    if (dir === undefined) return `busbar ${words}`;
    return `busbar ${words} --dir ${/^[\w./-]+$/.test(dir) ? dir : `'${dir.replaceAll("'", "'\\''")}'`}`;
  }
}

/** Node's own texts go on about how to write positionals that begin with a dash. */
function parsed({ words }: Command, config: ParseArgsConfig): ReturnType<typeof parseArgs> {
  try {
    return parseArgs(config);
  } catch (thrown) {
    const [first = ''] = (thrown as Error).message.split(/\.? To specify|[.\n]/);
    const [, name = ''] = /'--([\w-]+)'/.exec(first) ?? [];
    const hint = meant(name, Object.keys(config.options ?? {}), (option) => `--${option}`);
    const instead = hint === '' || !first.startsWith('Unknown option') ? `: see busbar ${words} --help` : hint;
    throw new CliError(Exit.USAGE, `${first.charAt(0).toLowerCase()}${first.slice(1)}${instead}`);
  }
}

function optionsOf(command: Command): OptionName[] {
  return [...command.options, 'dir', 'json', 'help'];
}

/** The help of one command. */
export function helpOf(command: Command): string[] {
  const rows = optionsOf(command).map((name) => {
    const option: Option = OPTIONS[name];
    return [`--${name}${option.value === undefined ? '' : ` <${option.value}>`}`, option.says] as const;
  });
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    `busbar ${command.words}${command.operands === undefined ? '' : ` ${command.operands}`} [options]`,
    `  ${command.says}`,
    '',
    ...rows.map(([name, says]) => `  ${name.padEnd(width)}  ${says}`),
  ];
}
