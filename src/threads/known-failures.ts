// The failures that a lane's drain has described in full: those that repeat them come as a number.
import { type FailedAgain, type Failure, Outcome, type ReadOutcome } from '../shared/outcome.js';
import { ErrorCategory, ErrorSeverity } from '../shared/report.js';

/** Belongs to one lane. A drain names a slot in full before it refers to it, and outcomes come in order. */
export class KnownFailures {
  readonly #slots: Failure[] = [];

  /** What a failure amounts to, whether it came in full or as a number; other outcomes as they are. */
  inFull(outcome: ReadOutcome): ReadOutcome {
    if (outcome.kind === Outcome.FAILED) {
      const { slot, ...failure } = outcome.detail;
      if (slot !== undefined) this.#slots[slot] = failure;
      return outcome;
    }
    if (outcome.kind === Outcome.ABANDONED) return { ...outcome, kind: Outcome.FAILED };
    if (outcome.kind !== Outcome.FAILED_AGAIN) return outcome;
    const { address, bytes, bodyOffset, detail } = outcome;
    return { kind: Outcome.FAILED, address, bytes, bodyOffset, detail: this.#again(detail) };
  }

  #again({ slot, message }: FailedAgain): Failure {
    const known = this.#slots[slot] ?? NEVER_HEARD_OF;
    const error = message === null ? known.error : { ...known.error, message };
    return { ...known, error, preview: undefined };
  }
}

/** A failure that refers to what nobody has said: a broken promise of the drain, and still somebody's failure. */
const NEVER_HEARD_OF: Failure = {
  category: ErrorCategory.MESSAGE_PROCESSING_ERROR,
  severity: ErrorSeverity.MEDIUM,
  phase: 'handler',
  error: { name: 'Error', message: '' },
  signature: '',
  preview: undefined,
};
