// What a thrown value is to main: a classified, bounded, redacted plain record.
import { classifyError } from './classify.js';
import { toErrorRecord } from './error-record.js';
import type { HandlerRule } from './handler.js';
import type { Failure } from './outcome.js';
import { preview, type Redactor } from './redact.js';
import type { ErrorPhase } from './report.js';
import { signatureOf } from './signature.js';

/** Describes the failures of one drain. */
export class FailureDescriber {
  readonly redactor: Redactor;
  readonly #rules: readonly HandlerRule[];
  /** False: nobody will read stacks and previews. */
  readonly #inFull: boolean;

  constructor(redactor: Redactor, rules: readonly HandlerRule[] | undefined, inFull: boolean) {
    this.redactor = redactor;
    this.#rules = rules ?? [];
    this.#inFull = inFull;
  }

  /** Never throws, whatever was thrown. */
  describe(thrown: unknown, phase: ErrorPhase, payload: unknown): Failure {
    const { category, severity } = classifyError(thrown, { phase, rules: this.#rules });
    const error = toErrorRecord(thrown, this.redactor, { stack: this.#inFull });
    return {
      category,
      severity,
      phase,
      error,
      signature: this.#inFull ? signatureOf(category, error) : '',
      preview: this.#inFull ? preview(payload, this.redactor) : '',
    };
  }

  /** A text without its secrets. */
  redacted(text: string): string {
    return this.redactor.text(text);
  }

  /** What is told beside a failure, without its secrets. */
  redactedContext(context: Record<string, unknown>): Record<string, unknown> {
    return this.redactor.value(context) as Record<string, unknown>;
  }

  /** A payload as it stands in a report. */
  preview(payload: unknown): string {
    return preview(payload, this.redactor);
  }
}
