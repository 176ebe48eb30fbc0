// The errors busbar itself raises: one class, one stable code each.

/**
 * Stable codes of the errors that busbar raises itself. Test `error.code`, never the text.
 *
 * - `BUSBAR_INVALID_OPTION`: an option is wrong; the text names it, the rule, and the value received.
 * - `BUSBAR_INVALID_TOPIC`: a topic or pattern is malformed.
 * - `BUSBAR_NOT_RUNNING`: the bus, logger or queue is not started, or already closed; or a handler has ended.
 * - `BUSBAR_DUPLICATE_SUBSCRIPTION`: this pattern and subscriberId are subscribed already.
 * - `BUSBAR_HANDLER_LOAD`: a handler module is missing, throws at import, or has no such export.
 * - `BUSBAR_HANDLER_TEARDOWN`: a handler's teardown threw, or has not settled within the grace.
 * - `BUSBAR_IN_LANE_WORKER`: a MessageBus was constructed on one of its own worker threads.
 * - `BUSBAR_PACKAGE`: a file of busbar's own is missing, as after bundling; or a package that `busbar/jetstream` needs.
 * - `BUSBAR_LOG_FOLDER`: the log folder cannot be created, read or written.
 * - `BUSBAR_FOLDER_LOCKED`: another process owns the log folder; the text names its pid.
 * - `BUSBAR_BREAKER_OPEN`: a circuit breaker refused the call; carries `retryAfterMs` and `breaker`.
 * - `BUSBAR_REQUEST_TIMEOUT`, `BUSBAR_REQUEST_FAILED`, `BUSBAR_NO_HANDLER`, `BUSBAR_AMBIGUOUS_REQUEST`: see `request()`.
 * - `BUSBAR_ENCODING`: a payload cannot be encoded.
 * - `BUSBAR_DECODING`: bytes cannot be decoded.
 * - `BUSBAR_MESSAGE_TOO_LARGE`: an encoded message is larger than the stated limit.
 * - `BUSBAR_QUEUE_FULL`: a queue limit was reached.
 * - `BUSBAR_REFUSED`: a subscription has not accepted a message; a report says why.
 * - `BUSBAR_HANDLER_TIMEOUT`: a handler ran past its deadline.
 * - `BUSBAR_WORKER_LOST`: the thread ended while the handler ran.
 * - `BUSBAR_POISON`: a message ended two threads and was quarantined.
 * - `BUSBAR_EXPIRED`: a message outlived its `ttlMs` before a handler started.
 * - `BUSBAR_PUT_OFF`: a handler has put a message off again and again (`retryLater`); told the 10th, 100th, 1000th, … time.
 * - `BUSBAR_VALIDATION`: a payload does not satisfy the subscription's schema.
 * - `BUSBAR_SHUTDOWN`: the bus or the subscription was ended before the delivery was settled.
 * - `BUSBAR_NOT_SETTLED`, `BUSBAR_ACCOUNTING`: see `TestBus` of `busbar/testing`.
 * - `BUSBAR_LETTERS_LOST`: of a process warning: the disk failed until the end; its detail names the letters.
 * - `BUSBAR_LOGGING_WORKER`: the logging worker is gone or did not answer.
 * - `BUSBAR_CONTROL_SOCKET`: the command line cannot reach this bus; messages are not affected.
 * - `BUSBAR_CONTROL_REQUEST`: what the command line asked cannot be answered: malformed, or too large.
 * - `BUSBAR_TRANSPORT_CONNECTION`: the transport's servers cannot be reached, or do not answer.
 * - `BUSBAR_TRANSPORT_PERMISSION`: the transport's servers refuse this user.
 * - `BUSBAR_TRANSPORT_SETTINGS`: what lies on the transport's servers is not what was asked for; the text says which settings.
 */
export type ErrorCode =
  | 'BUSBAR_INVALID_OPTION'
  | 'BUSBAR_INVALID_TOPIC'
  | 'BUSBAR_NOT_RUNNING'
  | 'BUSBAR_DUPLICATE_SUBSCRIPTION'
  | 'BUSBAR_HANDLER_LOAD'
  | 'BUSBAR_HANDLER_TEARDOWN'
  | 'BUSBAR_IN_LANE_WORKER'
  | 'BUSBAR_PACKAGE'
  | 'BUSBAR_LOG_FOLDER'
  | 'BUSBAR_FOLDER_LOCKED'
  | 'BUSBAR_BREAKER_OPEN'
  | 'BUSBAR_REQUEST_TIMEOUT'
  | 'BUSBAR_REQUEST_FAILED'
  | 'BUSBAR_NO_HANDLER'
  | 'BUSBAR_AMBIGUOUS_REQUEST'
  | 'BUSBAR_ENCODING'
  | 'BUSBAR_DECODING'
  | 'BUSBAR_MESSAGE_TOO_LARGE'
  | 'BUSBAR_QUEUE_FULL'
  | 'BUSBAR_REFUSED'
  | 'BUSBAR_HANDLER_TIMEOUT'
  | 'BUSBAR_WORKER_LOST'
  | 'BUSBAR_POISON'
  | 'BUSBAR_EXPIRED'
  | 'BUSBAR_PUT_OFF'
  | 'BUSBAR_VALIDATION'
  | 'BUSBAR_SHUTDOWN'
  | 'BUSBAR_NOT_SETTLED'
  | 'BUSBAR_ACCOUNTING'
  | 'BUSBAR_LETTERS_LOST'
  | 'BUSBAR_LOGGING_WORKER'
  | 'BUSBAR_CONTROL_SOCKET'
  | 'BUSBAR_CONTROL_REQUEST'
  | 'BUSBAR_TRANSPORT_CONNECTION'
  | 'BUSBAR_TRANSPORT_PERMISSION'
  | 'BUSBAR_TRANSPORT_SETTINGS';

const RAISED = Symbol.for('busbar.error');

/** An error raised by busbar itself. Runs on every thread. */
export class BusbarError extends Error {
  /** Whatever copy of busbar raised it: what runs the lanes is one on its own. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return hasRaised(value);
  }

  override readonly name = 'BusbarError';
  /** Stable; see {@link ErrorCode}. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    Object.defineProperty(this, RAISED, { value: true });
  }
}

/** True for an error that any copy of busbar raised, with this code if one is given. */
export function hasRaised(value: unknown, code?: ErrorCode): value is BusbarError {
  if (!(value instanceof Error) || !(RAISED in value)) return false;
  return code === undefined || (value as unknown as BusbarError).code === code;
}

const SHOWN_CHARACTERS = 80;

/** The value as a short one-line text, for an error message. Never throws. */
export function show(value: unknown): string {
  let text: string;
  try {
    if (typeof value === 'string') text = JSON.stringify(value);
    else if (typeof value === 'bigint') text = `${value}n`;
    else if (typeof value === 'function') text = `function ${value.name || '(anonymous)'}`;
    else if (typeof value === 'object' && value !== null)
      text = JSON.stringify(value) ?? Object.prototype.toString.call(value);
    else text = String(value);
  } catch {
    text = typeof value;
  }
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/**
 * A BUSBAR_INVALID_OPTION error that names the option, the rule and the value received.
 *
 * @param hint follows the value
 */
export function invalidOption(option: string, rule: string, received: unknown, hint = ''): BusbarError {
  return new BusbarError('BUSBAR_INVALID_OPTION', `${option} must be ${rule}; received ${show(received)}${hint}`);
}
