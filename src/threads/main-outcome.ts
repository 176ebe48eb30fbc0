// What became of a plain function's attempt, in the form in which a worker tells it.
import type { Clock } from '../shared/clock.js';
import { encodePayload } from '../shared/codec.js';
import type { ContextOutlet } from '../shared/context.js';
import type { HandlerVerdict } from '../shared/handler.js';
import {
  type DetailedOutcome,
  type Failure,
  Outcome,
  type OutcomeDetails,
  type ReadOutcome,
} from '../shared/outcome.js';
import { isSimple, type Reply } from '../shared/reply.js';
import { ErrorSeverity } from '../shared/report.js';
import { asBuffer } from '../shared/views.js';
import type { MainLaneOptions } from './main-lane-options.js';

const NOWHERE = { place: 0, sequence: 0, isPastOthers: false };
const NOTHING = Buffer.alloc(0);

export function outcome<K extends DetailedOutcome>(
  { kind, detail }: { kind: K; detail: OutcomeDetails[K] },
  bytes: Uint8Array = NOTHING,
): ReadOutcome {
  return { kind, address: NOWHERE, detail, bytes, bodyOffset: 0 } as ReadOutcome;
}

/** The handler has said itself that its delivery ends. */
export function verdictOutcome(kind: Exclude<HandlerVerdict['kind'], 'retry-later'>, failure: Failure): ReadOutcome {
  return kind === 'discard'
    ? outcome({ kind: Outcome.DISCARDED, detail: { ...failure, severity: ErrorSeverity.LOW } })
    : outcome({ kind: Outcome.DEAD_LETTERED, detail: failure });
}

/** Takes what an attempt has to tell. */
type TellNews = <K extends DetailedOutcome>(news: { kind: K; detail: OutcomeDetails[K] }) => void;

/** What the contexts of a lane's attempts tell and ask. */
export function outletOf(
  clock: Clock,
  breakers: ContextOutlet['breakers'],
  { describer, tellsHandled }: Pick<MainLaneOptions, 'describer' | 'tellsHandled'>,
  news: TellNews,
): ContextOutlet {
  return {
    clock,
    redactor: describer.redactor,
    breakers,
    isRemote: tellsHandled,
    log: (detail) => news({ kind: Outcome.LOGGED, detail }),
    late: (error, { id, topic }) => {
      const failure = describer.describe(error, 'late', undefined);
      news({ kind: Outcome.THREW_LATE, detail: { failure, id, topic } });
    },
    assertFits: () => undefined,
  };
}

/**
 * Encoded, as if it came from another thread: what the handler does with its value later is no matter.
 *
 * @throws BUSBAR_ENCODING
 */
export function replyOf(number: number, value: unknown): Reply {
  if (isSimple(value)) return { number, codec: null, value, memory: NOTHING, words: null, start: 0, end: 0 };
  const { codec, bytes } = encodePayload(value);
  const memory = asBuffer(bytes);
  return { number, codec, value: undefined, memory, words: null, start: 0, end: memory.length };
}
