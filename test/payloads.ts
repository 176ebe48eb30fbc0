// Payloads for tests: arbitrary values, and the way through a ring and back.
import fc from 'fast-check';
import { decodePayload, encodePayload } from '../src/shared/codec.js';

/** Encoded, copied into shared memory as a ring would, and decoded there. */
export function roundTrip(value: unknown, mode: 'copy' | 'view' = 'copy'): unknown {
  const { codec, bytes, lossy } = encodePayload(value);
  if (lossy) throw new Error('a payload was encoded with loss, though nobody had asked for that');
  const shared = Buffer.from(new SharedArrayBuffer(bytes.byteLength));
  shared.set(bytes);
  const decoded = decodePayload(codec, shared, mode);
  if (mode === 'copy') shared.fill(0xff);
  return decoded;
}

/** What it throws, or undefined. */
export function refusalOf(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Of any UTF-16 units, halves of pairs among them. fast-check's own `binary` unit costs a second to be made. */
export const anyText = (maxLength = 10): fc.Arbitrary<string> =>
  fc.uint16Array({ maxLength }).map((units) => String.fromCharCode(...units));

const leaf = fc.oneof(
  fc.string(),
  anyText(),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(null, undefined, -0, Number.NaN, ''),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array(),
  fc.float64Array(),
  fc.int16Array(),
);

/** Any value that structured clone takes, five levels deep. */
export const { value: anything } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaf,
    fc.array(tie('value')),
    fc.dictionary(fc.string(), tie('value')),
    fc.array(fc.tuple(tie('value'), tie('value'))).map((entries) => new Map(entries)),
    fc.array(tie('value')).map((items) => new Set(items)),
  ),
}));
