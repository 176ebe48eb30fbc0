// The command `busbar dlq show`: one dead letter in full, with its error and its history.

import type { WireLetter } from '../../shared/control.js';
import { letterFromWire } from '../../shared/letter-desk.js';
import type { StoredLetter } from '../../shared/logging-task.js';
import type { RedactOptions } from '../../shared/redact.js';
import type { Command } from '../command.js';
import { printError } from '../error-text.js';
import { CliError, Exit } from '../exit.js';
import { noteStream, withLetters } from '../letters.js';
import { type Masking, maskedLabels, maskingFrom, payloadFields, showPayload } from '../payload.js';
import { paint, print, safe, safeJson, safeLines } from '../terminal.js';
import { showTime } from '../when.js';
import { showSubscriber } from '../which.js';

export const dlqShow: Command = {
  words: 'dlq show',
  operands: '<id>',
  says: 'One dead letter: where it failed, how often, why, and the shapes of its payload, key and headers.',
  options: ['payload', 'unmask', 'app'],
  async run(args) {
    const [id, ...others] = args.operands;
    if (id === undefined || others.length > 0) throw new CliError(Exit.USAGE, 'dlq show takes one id: see `dlq list`');
    const request = { ask: 'letter', id } as const;
    const masking = maskingFrom(args);
    const { found, redact } = await withLetters(args, async (session) => {
      const found = await session.ask(request);
      if (found === null) noteStream(session);
      return { found, redact: masking === 'redacted' ? await session.redaction() : {} };
    });
    if (found === null) throw new CliError(Exit.BAD_NEWS, `there is no letter ${JSON.stringify(id)}`);
    if (args.has('json')) print(safeJson(forPrograms(found, masking, redact)));
    else printLetter(found, masking, redact);
    return Exit.DONE;
  },
};

function forPrograms(found: WireLetter, masking: Masking, redact: RedactOptions): unknown {
  const { payload, ...message } = letterFromWire(found).message;
  const fields = payloadFields(payload, masking, found.payload, redact);
  const labels = maskedLabels(message, masking, redact);
  return { ...found.letter, ...labels, message: { ...message, ...labels, ...fields } };
}

function subscriberOf({ subscriber_id: id, pattern, reason }: StoredLetter): string {
  if (reason === 'unpublished')
    return `${showSubscriber(id)}: the servers never had this message, and its replay publishes it`;
  return id === '' ? showSubscriber(id) : `${id} on ${pattern}`;
}

function printLetter(found: WireLetter, masking: Masking, redact: RedactOptions): void {
  const letter = letterFromWire(found);
  const { message, error, history } = letter;
  const { key, headers } = maskedLabels(message, masking, redact);
  const fields: [string, string][] = [
    ['letter', letter.error_id],
    ['given up', `${showTime(letter.timestamp)}, ${letter.reason}, ${letter.error_category}`],
    ['subscriber', subscriberOf(letter)],
    ['message', `${message.id} on ${message.topic}, published ${showTime(message.published_at)}`],
    ['priority', key === null ? message.priority : `${message.priority}, key ${key}`],
    ['attempts', `${letter.started} started, ${letter.failed} failed`],
    ['state', `${letter.state}, replayed ${letter.replays} times, edited ${letter.edits} times`],
    ['cause', letter.signature],
  ];
  for (const [name, text] of fields) print(`${paint('dim', name.padEnd(11))} ${safe(text)}`);
  for (const [name, value] of Object.entries(headers ?? {}))
    print(`${paint('dim', 'header'.padEnd(11))} ${safe(`${name}: ${value}`)}`);
  print();
  printError(error);
  for (const { category, count, first, last } of history) {
    print(paint('dim', safe(`${showTime(first)} to ${showTime(last)}: ${count} × ${category}`)));
  }
  print();
  print(paint('dim', letter.undecodable ? 'payload (its bytes cannot be decoded)' : 'payload'));
  for (const line of safeLines(showPayload(message.payload, masking, redact))) print(`  ${line}`);
}
