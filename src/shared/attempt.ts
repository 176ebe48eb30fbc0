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

/** Where an attempt stands. Whoever runs it knows where its payload lies. */
export abstract class Attempt<D extends DeliveryHead = DeliveryHead> {
  phase: ErrorPhase = 'decode';
  payload: unknown;
  /** True once its value or error was taken; what comes after is late. */
  hasEnded = false;
  /** From the breaker; null where there is none. */
  readonly permit: Permit | null;
  readonly context: AttemptContext;
  readonly delivery: D;
  /** `Clock.elapsed()`. */
  readonly startedAt: number;

  constructor(permit: Permit | null, context: AttemptContext, delivery: D, startedAt: number) {
    this.permit = permit;
    this.context = context;
    this.delivery = delivery;
    this.startedAt = startedAt;
  }

  /** Decodes, validates and calls. Returns or throws what the handler does; `phase` says how far it came. */
  call(handle: Handler, { validate: schema, codec }: CallOptions, mode: 'copy' | 'view'): unknown {
    const payload = this.decode(mode);
    this.payload = this.delivery.codec === Codec.OWN ? decodeWith(codec, payload as EncodedPayload) : payload;
    if (schema === undefined) return this.#handle(handle, this.payload);
    this.phase = 'validate';
    const checked = schema['~standard'].validate(this.payload);
    if (!isThenable(checked)) return this.#handle(handle, validValue(checked));
    return Promise.resolve(checked).then((result) => this.#handle(handle, validValue(result)));
  }

  /** Tells the breaker of a success. */
  countSuccess(breaker: SharedBreaker | null): void {
    if (this.permit !== null) breaker?.success(this.permit);
  }

  /** A delivery counts once, at its first failed attempt; a probe whose attempt fails is a failed probe. */
  countFailure(breaker: SharedBreaker | null, category: ErrorCategory): void {
    if (this.permit === null) return;
    const counts = countsForBreaker(category) && (this.delivery.failed === 0 || this.permit.isProbe);
    if (counts) breaker?.failure(this.permit);
    else breaker?.release(this.permit);
  }

  /** The attempt came to nothing that the breaker counts. */
  countNothing(breaker: SharedBreaker | null): void {
    if (this.permit !== null) breaker?.release(this.permit);
  }

  /** @throws BUSBAR_DECODING */
  protected abstract decode(mode: 'copy' | 'view'): unknown;

  #handle(handle: Handler, payload: unknown): unknown {
    this.phase = 'handler';
    return handle(payload, this.context);
  }
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
