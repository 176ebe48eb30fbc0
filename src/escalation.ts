// Tells the user's hook of critical failures, and stops the bus when the hook says so.
import { copyOfReport, type ErrorReport } from './shared/report.js';

/**
 * Called with the report of each critical failure that is reported in full, on the main thread. Returning or resolving with
 * 'stop' ends the bus at once: what waits is dead-lettered with the reason `shutdown`, to be replayed.
 */
export type CriticalHook = (report: ErrorReport) => unknown;

/** What an escalation may bring about. */
export interface EscalationActs {
  /** The hook threw or rejected. */
  onTrouble(thrown: unknown): void;
  /** Ends the bus, and keeps what waits. */
  emergencyStop(): void;
}

/** Belongs to one bus. A hook that throws is reported; nobody waits for one that hangs. */
export class Escalation {
  readonly #hook: CriticalHook | undefined;
  readonly #acts: EscalationActs;
  /** The failure that stopped the bus; null: none has. */
  emergency: string | null = null;

  constructor(hook: CriticalHook | undefined, acts: EscalationActs) {
    this.#hook = hook;
    this.#acts = acts;
  }

  raise(report: ErrorReport): void {
    if (this.#hook === undefined) return;
    void this.#ask(this.#hook, report);
  }

  async #ask(hook: CriticalHook, report: ErrorReport): Promise<void> {
    try {
      if ((await hook(copyOfReport(report))) !== 'stop' || this.emergency !== null) return;
    } catch (thrown) {
      this.#acts.onTrouble(thrown);
      return;
    }
    this.emergency = report.message;
    this.#acts.emergencyStop();
  }
}
