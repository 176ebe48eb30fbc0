// The command `busbar dlq edit`: changes a letter, so that its replay may succeed.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WireChanges } from '../../shared/control.js';
import { letterFromWire } from '../../shared/letter-desk.js';
import { PRIORITIES, type Priority } from '../../shared/message.js';
import type { Arguments, Command } from '../command.js';
import { CliError, Exit } from '../exit.js';
import { withLetters } from '../letters.js';
import { payloadFields } from '../payload.js';
import { confirm, print, safeJson } from '../terminal.js';

const ENDS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export const dlqEdit: Command = {
  words: 'dlq edit',
  operands: '<id>',
  says: 'Changes a letter before it is replayed: by options, or else its payload in $EDITOR. Asks, or needs --yes.',
  options: ['set', 'file', 'key', 'priority', 'yes', 'app'],
  async run(args) {
    const [id, ...others] = args.operands;
    if (id === undefined || others.length > 0) throw new CliError(Exit.USAGE, 'dlq edit takes one id: see `dlq list`');
    const given = changesFrom(args);
    const changes = Object.keys(given).length > 0 ? given : { payload: await payloadFromEditor(args, id) };
    await confirm(`Change ${Object.keys(changes).join(' and ')} of letter ${id} for good?`, args.has('yes'));
    const edited = await withLetters(args, (session) => session.ask({ ask: 'edit', id, changes }));
    if (edited === null) {
      throw new CliError(Exit.BAD_NEWS, `there is no letter ${JSON.stringify(id)}, or it is being replayed`);
    }
    print(args.has('json') ? safeJson({ edited: id }) : `changed; now: ${args.next(`dlq replay ${id}`)}`);
    return Exit.DONE;
  },
};

function changesFrom(args: Arguments): WireChanges {
  const [text, file, key, priority] = [args.text('set'), args.text('file'), args.text('key'), args.text('priority')];
  if (text !== undefined && file !== undefined) throw new CliError(Exit.USAGE, 'give either --set or --file');
  if (priority !== undefined && !PRIORITIES.includes(priority as Priority)) {
    const received = JSON.stringify(priority);
    throw new CliError(Exit.USAGE, `--priority must be one of ${PRIORITIES.join(', ')}; received ${received}`);
  }
  const json = file === undefined ? text : contentOf(file);
  return {
    ...(json === undefined ? {} : { payload: parsed(json) }),
    ...(key === undefined ? {} : { key }),
    ...(priority === undefined ? {} : { priority: priority as Priority }),
  };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CliError(Exit.USAGE, `--file cannot be read: ${(error as Error).message}`);
  }
}

/** Opens the payload as JSON in the operator's editor, in a file that only they can read. */
async function payloadFromEditor(args: Arguments, id: string): Promise<unknown> {
  const editor = process.env['VISUAL'] ?? process.env['EDITOR'];
  if (editor === undefined || !process.stdin.isTTY) {
    throw new CliError(
      Exit.USAGE,
      'say what to change (--set, --file, --key, --priority), or set EDITOR on a terminal',
    );
  }
  const found = await withLetters(args, (session) => session.ask({ ask: 'letter', id }));
  if (found === null) throw new CliError(Exit.BAD_NEWS, `there is no letter ${JSON.stringify(id)}`);
  const { payload } = letterFromWire(found).message;
  if (!('payload' in payloadFields(payload, 'none', found.payload))) {
    throw new CliError(
      Exit.USAGE,
      'JSON cannot say what this payload is: edit it in code, with deadLetterQueue.edit()',
    );
  }
  // Ctrl-C is for the editor: ended by it, this process would leave the payload behind.
  const ignore = (): void => undefined;
  for (const signal of ENDS) process.on(signal, ignore);
  const scratch = mkdtempSync(join(tmpdir(), 'busbar-edit-'));
  try {
    const file = join(scratch, 'payload.json');
    const before = `${JSON.stringify(payload, null, 2)}\n`;
    writeFileSync(file, before, { mode: 0o600 });
    const { status } = spawnSync(`${editor} "${file}"`, { stdio: 'inherit', shell: true });
    const after = readFileSync(file, 'utf8');
    if (status !== 0 || after === before) throw new CliError(Exit.REFUSED, 'nothing was changed');
    return parsed(after);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    for (const signal of ENDS) process.off(signal, ignore);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new CliError(Exit.USAGE, `the new payload must be JSON: ${(error as Error).message}`);
  }
}
