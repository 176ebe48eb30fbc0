// Turns what the NATS client and server say into busbar's errors: connection, permission, or settings.
import { BusbarError, type ErrorCode } from '../shared/errors.js';
import { peek, peekNumber, peekText } from '../shared/hostile.js';
import { createRedactor } from '../shared/redact.js';

const PERMISSION = new Set(['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError']);
const SETTINGS = new Set(['JetStreamNotEnabled', 'InvalidNameError', 'InvalidSubjectError', 'InvalidArgumentError']);
/** More copies than there are servers: said as the server's own trouble, but it does not pass. */
const TOO_MANY_REPLICAS = 10_074;
/** The server's own troubles, which pass: all other answers of its API say that the request was wrong. */
const PASSING_STATUS = new Set([408, 500, 503]);

const MOST_CAUSES = 4;

/** The user's own secrets are taken out where this is reported. */
const redactor = createRedactor();

/** Where a server is, without the user, password or token before its host. */
export function withoutUser(server: string): string {
  return server.replace(/^((?:[\w+.-]+:\/\/)?).*@/s, '$1');
}

/** What went wrong on the way to the servers. */
export function transportError(doing: string, thrown: unknown): BusbarError {
  if (thrown instanceof BusbarError) return thrown;
  const said = peekText(thrown, 'message', 300) ?? String(thrown).slice(0, 300);
  return new BusbarError(codeOf(thrown), `${doing}: ${redactor.text(said)}`, { cause: thrown });
}

/** The same of a message that was to be stored. Where nobody answers, the client says that JetStream is not enabled. */
export function writeError(doing: string, thrown: unknown): BusbarError {
  if (peek(thrown, 'name') !== 'JetStreamNotEnabled') return transportError(doing, thrown);
  const what = `${doing}: no stream answers: it has no leader now, or is gone`;
  return new BusbarError('BUSBAR_TRANSPORT_CONNECTION', what, { cause: thrown });
}

/** The settings on the server are not those that were asked for. */
export function settingsError(message: string): BusbarError {
  return new BusbarError('BUSBAR_TRANSPORT_SETTINGS', message);
}

/** A stream that takes no messages now. @param said by the server */
export function cannotStore(said: string): BusbarError {
  return said.startsWith('maximum')
    ? new BusbarError('BUSBAR_QUEUE_FULL', `the stream is full: ${said}`)
    : new BusbarError('BUSBAR_TRANSPORT_CONNECTION', `the server cannot store messages now: ${said}`);
}

function codeOf(thrown: unknown): ErrorCode {
  let error = thrown;
  for (let depth = 0; depth < MOST_CAUSES && typeof error === 'object' && error !== null; depth++) {
    const code = codeOfOne(error);
    if (code !== undefined) return code;
    error = peek(error, 'cause');
  }
  return 'BUSBAR_TRANSPORT_CONNECTION';
}

function codeOfOne(error: object): ErrorCode | undefined {
  if (error instanceof BusbarError) return error.code;
  const name = peek(error, 'name');
  if (typeof name !== 'string') return undefined;
  if (PERMISSION.has(name)) return 'BUSBAR_TRANSPORT_PERMISSION';
  if (SETTINGS.has(name) || peek(error, 'code') === 'ERR_INVALID_URL') return 'BUSBAR_TRANSPORT_SETTINGS';
  return name.startsWith('JetStreamApi') || name.endsWith('NotFoundError') ? ofApi(error) : undefined;
}

function ofApi(error: object): ErrorCode {
  const status = peekNumber(error, 'status');
  const isPassing =
    status !== undefined && PASSING_STATUS.has(status) && peekNumber(error, 'code') !== TOO_MANY_REPLICAS;
  return isPassing ? 'BUSBAR_TRANSPORT_CONNECTION' : 'BUSBAR_TRANSPORT_SETTINGS';
}

/** The server's answer to a write whose expected sequence is not the last. */
const WRONG_SEQUENCE = new Set([10071, 10164]);
const NOT_FOUND = new Set([10014, 10037, 10059]);

export function isWrongSequence(thrown: unknown): boolean {
  return WRONG_SEQUENCE.has(apiCode(thrown));
}

/** The server knows no such message, stream or consumer. */
export function isNotFound(thrown: unknown): boolean {
  return NOT_FOUND.has(apiCode(thrown));
}

function apiCode(thrown: unknown): number {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'number' ? code : 0;
}
