// The exit codes of the command line, and the errors that end it.

/** Part of the contract: scripts test them. */
export const Exit = {
  /** Done; for `health`: healthy. */
  DONE: 0,
  /** Done, and the news is bad: not healthy, no such letter, letters that failed again or were skipped. */
  BAD_NEWS: 1,
  /** The command line was wrong. Nothing was done. */
  USAGE: 2,
  /** Refused: a confirmation is missing, or the bus has to run for this. Nothing was done. */
  REFUSED: 3,
  /** Neither a bus nor a folder to work on: missing, locked by a process that does not answer, no permission. */
  UNREACHABLE: 4,
  /** It failed on the way. */
  FAILED: 5,
} as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

const EXIT_OF_CODE: Readonly<Record<string, Exit>> = {
  BUSBAR_INVALID_OPTION: Exit.USAGE,
  BUSBAR_INVALID_TOPIC: Exit.USAGE,
  BUSBAR_NOT_RUNNING: Exit.REFUSED,
  BUSBAR_FOLDER_LOCKED: Exit.UNREACHABLE,
  BUSBAR_LOG_FOLDER: Exit.UNREACHABLE,
  EACCES: Exit.UNREACHABLE,
  EPERM: Exit.UNREACHABLE,
  EROFS: Exit.UNREACHABLE,
};

/** Ends the command line with a text and a code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exit: Exit;
  /** Stable; that of the bus where the error is its. */
  readonly code: string;

  constructor(exit: Exit, message: string, code = CODE_OF_EXIT[exit]) {
    super(message);
    this.exit = exit;
    this.code = code;
  }
}

const CODE_OF_EXIT: Readonly<Record<Exit, string>> = {
  [Exit.DONE]: 'DONE',
  [Exit.BAD_NEWS]: 'BAD_NEWS',
  [Exit.USAGE]: 'USAGE',
  [Exit.REFUSED]: 'REFUSED',
  [Exit.UNREACHABLE]: 'UNREACHABLE',
  [Exit.FAILED]: 'FAILED',
};

/** Codes of Node for what this user may not do. */
const NOT_PERMITTED = ['EACCES', 'EPERM'];

/** What a bus or a queue raised, with the exit that its code stands for. A filter's field is named as it was typed. */
export function busError(code: string, message: string): CliError {
  const typed = message.replace(/^filter\.(\w+)/, (_, field) => `--${field === 'subscriberId' ? 'subscriber' : field}`);
  return new CliError(EXIT_OF_CODE[code] ?? Exit.FAILED, typed, code);
}

/** Whatever was thrown. */
export function asCliError(thrown: unknown): CliError {
  if (thrown instanceof CliError) return thrown;
  const { code, message } = Object(thrown) as { code?: unknown; message?: unknown };
  const text = typeof message === 'string' ? message : String(thrown);
  if (typeof code !== 'string') return new CliError(Exit.FAILED, text);
  const path = (Object(thrown) as { path?: unknown }).path;
  if (NOT_PERMITTED.includes(code) && typeof path === 'string') {
    return busError(code, `this user may not read or change ${path} (${code}): run busbar as the bus's own user`);
  }
  return code.startsWith('ERR_PARSE_ARGS') ? new CliError(Exit.USAGE, text) : busError(code, text);
}
