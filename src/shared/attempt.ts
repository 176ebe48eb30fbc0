// One attempt: a delivery while its handler runs, from decoding to the value or the error it ends with.

import type { Permit, SharedBreaker } from './breaker.js';
import { countsForBreaker } from './classify.js';
import type { AttemptContext } from './context.js';
import type { DeliveryHead } from './delivery.js';
import { decodeWith, type EncodedPayload } from './encoded-payload.js';
import { BusbarError, show } from './errors.js';
import type { Handler, PayloadCodec, StandardSchema } from './handler.js';
import { Codec } from './message.js';
import type { ErrorCategory, ErrorPhase } from './report.js';

/** What is done with a payload before its handler has it. */
export interface CallOptions {
  readonly validate?: StandardSchema | undefined;
  readonly codec?: PayloadCodec | undefined;
}

/** What an attempt has on any thread. */
export interface Attempt {
  /** How far it has come. */
  phase: ErrorPhase;
  payload: unknown;
  /** From the breaker; null where there is none. */
  readonly permit: Permit | null;
  readonly context: AttemptContext;
  readonly delivery: DeliveryHead;
}

/**
 * Validates and calls. Returns or throws what the handler does; `phase` says how far it came.
 *
 * @param decoded the payload, as its bytes say
 */
export function callHandler(
  attempt: Attempt,
  handle: Handler,
  { validate: schema, codec }: CallOptions,
  decoded: unknown,
): unknown {
  const payload = attempt.delivery.codec === Codec.OWN ? decodeWith(codec, decoded as EncodedPayload) : decoded;
  attempt.payload = payload;
  if (schema === undefined) return handleNow(attempt, handle, payload);
  attempt.phase = 'validate';
  const checked = schema['~standard'].validate(payload);
  if (!isThenable(checked)) return handleNow(attempt, handle, validValue(checked));
  return Promise.resolve(checked).then((result) => handleNow(attempt, handle, validValue(result)));
}

function handleNow(attempt: Attempt, handle: Handler, payload: unknown): unknown {
  attempt.phase = 'handler';
  return handle(payload, attempt.context);
}

/** Tells the breaker of a success. */
export function countSuccess({ permit }: Attempt, breaker: SharedBreaker | null): void {
  if (permit !== null) breaker?.success(permit);
}

/** The attempt came to nothing that the breaker counts. */
export function countNothing({ permit }: Attempt, breaker: SharedBreaker | null): void {
  if (permit !== null) breaker?.release(permit);
}

/** A delivery counts once, at its first failed attempt; a probe whose attempt fails is a failed probe. */
export function countFailure(
  { permit, delivery }: Attempt,
  breaker: SharedBreaker | null,
  category: ErrorCategory,
): void {
  if (permit === null) return;
  const counts = countsForBreaker(category) && (delivery.failed === 0 || permit.isProbe);
  if (counts) breaker?.failure(permit);
  else breaker?.release(permit);
}

/** True for a promise of any make. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

interface ValidationResult {
  readonly value?: unknown;
  readonly issues?: readonly { readonly message?: unknown; readonly path?: readonly unknown[] }[];
}

const MOST_ISSUES_SHOWN = 3;

/** @throws BUSBAR_VALIDATION */
function validValue(result: unknown): unknown {
  const { issues, value } = result as ValidationResult;
  if (issues === undefined) return value;
  const shown = issues.slice(0, MOST_ISSUES_SHOWN).map(({ message, path }) => {
    const where = (path ?? []).map(keyOf).join('.');
    return where === '' ? String(message) : `${where}: ${String(message)}`;
  });
  const more = issues.length > MOST_ISSUES_SHOWN ? ` and ${issues.length - MOST_ISSUES_SHOWN} more` : '';
  throw new BusbarError('BUSBAR_VALIDATION', `the payload does not satisfy the schema: ${shown.join('; ')}${more}`);
}

/** A path segment is a key, or an object that holds one. */
function keyOf(segment: unknown): string {
  const key = typeof segment === 'object' && segment !== null ? (segment as { key?: unknown }).key : segment;
  return typeof key === 'string' || typeof key === 'number' ? String(key) : show(key);
}
