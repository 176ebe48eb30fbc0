// How payloads, keys and headers are shown: by their shape only, redacted, or as they are.
import { inspect } from 'node:util';
import { isPlainJson } from '../shared/json-exact.js';
import { createRedactor, type RedactOptions } from '../shared/redact.js';
import type { Arguments } from './command.js';

/** `shape`: nothing of its content. `redacted`: by busbar's own list of secrets and the running bus's. */
export type Masking = 'shape' | 'redacted' | 'none';

export function maskingFrom(args: Arguments): Masking {
  if (args.has('unmask')) return 'none';
  return args.has('payload') ? 'redacted' : 'shape';
}

const DEEPEST = 3;
const MOST_MEMBERS = 12;
const MOST_SHOWN = 1000;

/** For people; of several lines, and not safe yet. */
export function showPayload(payload: unknown, masking: Masking, redact: RedactOptions): string {
  if (masking === 'shape') return `${shapeOf(payload)}  (masked: --payload shows it)`;
  const value = masking === 'redacted' ? redacted(payload, redact) : payload;
  const limits = { depth: 10, maxArrayLength: MOST_SHOWN, maxStringLength: 100_000 };
  return typeof value === 'string' ? value : inspect(value, { ...limits, breakLength: 100, customInspect: false });
}

/** For programs: fields of a message. What JSON cannot say stands in base64, as in the file. */
export function payloadFields(
  payload: unknown,
  masking: Masking,
  encoded: { readonly codec: string; readonly base64: string },
  redact: RedactOptions = {},
): Record<string, unknown> {
  if (masking === 'shape') return { payload_shape: shapeOf(payload) };
  if (masking === 'redacted') return { payload: redacted(payload, redact) };
  if (isTree(payload) && isPlainJson(payload)) return { payload };
  return { payload_codec: encoded.codec, payload_base64: encoded.base64 };
}

/** Keys and headers are the publisher's content as much as the payload is. */
export interface Labels {
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>> | null;
}

/** The same fields, fit to be shown: by their shapes only, redacted, or as they are. */
export function maskedLabels({ key, headers }: Labels, masking: Masking, redact: RedactOptions): Labels {
  if (masking === 'none') return { key, headers };
  if (masking === 'redacted') return redacted({ key, headers }, redact) as Labels;
  const entries = Object.entries(headers ?? {}).map(([name, value]) => [name, masked(value)] as const);
  return { key: key && masked(key), headers: headers && Object.fromEntries(entries) };
}

function masked(text: string): string {
  return `[${shapeOf(text)}]`;
}

/** Without cycles, and no deeper than JSON goes. */
function isTree(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

/** A copy without secrets, made of what JSON can say; without a prototype's name in front of each object. */
function redacted(payload: unknown, redact: RedactOptions): unknown {
  return JSON.parse(JSON.stringify(createRedactor(redact).value(payload)) ?? 'null');
}

/** Names of fields, kinds and sizes; no value. */
function shapeOf(value: unknown, level = 0): string {
  if (typeof value === 'string') return `text of ${value.length}`;
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    return `${value.constructor.name} of ${value.byteLength} bytes`;
  }
  if (Array.isArray(value)) return value.length === 0 ? '[]' : `[${value.length} × ${shapeOf(value[0], level + 1)}]`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name} of ${value.size}`;
  const tag = Object.prototype.toString.call(value);
  if (tag !== '[object Object]') return tag.slice('[object '.length, -1);
  const keys = Object.keys(value);
  if (level >= DEEPEST) return `{ ${keys.length} fields }`;
  const fields = keys
    .slice(0, MOST_MEMBERS)
    .map((key) => `${key}: ${shapeOf((value as Record<string, unknown>)[key], level + 1)}`);
  if (keys.length > MOST_MEMBERS) fields.push(`… ${keys.length - MOST_MEMBERS} more`);
  return `{ ${fields.join(', ')} }`;
}
