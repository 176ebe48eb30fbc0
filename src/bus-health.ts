// Gathers what the parts of a bus counted into its health.
import type { BusParts } from './assembly.js';
import type { ControlServer } from './observe/control-server.js';
import { Health, type HealthFacts } from './observe/health.js';
import { RecentOutcomes } from './observe/recent-outcomes.js';
import { trendsOf } from './observe/trends.js';
import type { ResolvedBusOptions } from './resolved-options.js';
import type { Timer } from './shared/clock.js';
import type { HealthStatus } from './shared/health-status.js';
import { Minutes } from './shared/minutes.js';
import type { Threads } from './threads/threads.js';

/** How often it is looked what was settled, in milliseconds. */
const LOOK_MS = 15_000;

/** Belongs to one bus. Runs on the main thread. */
export class BusHealth {
  readonly #options: ResolvedBusOptions;
  readonly #parts: BusParts;
  readonly #health = new Health();
  readonly #letters = new Minutes();
  readonly #outcomes = new RecentOutcomes();
  /** `Clock.elapsed()`. */
  #startedAt = 0;
  #looks: Timer | undefined;
  #life: HealthFacts['life'] = 'new';

  constructor(options: ResolvedBusOptions, parts: BusParts) {
    this.#options = options;
    this.#parts = parts;
    parts.events.on('deadLetter', () => this.#letters.add(1, options.clock.now() / 1000));
  }

  begin(): void {
    const { clock } = this.#options;
    this.#life = 'begun';
    this.#startedAt = clock.elapsed();
    const look = (): void => this.#outcomes.take(this.#parts.subscriptions.health(), clock.now() / 1000);
    this.#looks = clock.every(LOOK_MS, look);
  }

  /** From here on the parts are closed one by one: that they are down is no news. */
  end(): void {
    this.#life = 'ended';
    this.#looks?.cancel();
  }

  /** @param threads undefined before the start */
  status(threads: Threads | undefined, control: ControlServer | null): HealthStatus {
    const { clock, threads: configured, spareThreads } = this.#options;
    const { publisher, settler, breakers, escalation, remote, counters } = this.#parts;
    const uptimeMs = publisher.isOpen ? clock.elapsed() - this.#startedAt : 0;
    const now = clock.now() / 1000;
    const logging = this.#parts.logging?.health() ?? null;
    const transport = remote?.transport?.health() ?? null;
    // What the servers have not said yet may be any number.
    const lettersElsewhere = transport === null ? 0 : (transport.deadLetters ?? Number.POSITIVE_INFINITY);
    const lettersThere = (logging?.deadLetters ?? 0) + lettersElsewhere;
    const subscriptions = this.#parts.subscriptions.health();
    this.#outcomes.take(subscriptions, now);
    return this.#health.of({
      running: publisher.isOpen,
      life: this.#life,
      uptimeSeconds: Math.floor(uptimeMs / 1000),
      errorsRecovered: settler.errorsRecovered,
      unrouted: remote === null ? publisher.unrouted : null,
      duplicates: publisher.dedupe.duplicates,
      subscriptions,
      breakers: { ...breakers.status(), ...remote?.breakers() },
      emergency: escalation.emergency,
      threads: threads?.health ?? { configured: configured + spareThreads, alive: 0, replaced: 0 },
      logging,
      control: control?.health ?? null,
      transport,
      errorStatistics: logging === null ? null : counters.summary(now),
      trends: trendsOf(this.#letters, lettersThere, counters.minutes, uptimeMs, now),
      recent: this.#outcomes.success(now),
    });
  }
}
