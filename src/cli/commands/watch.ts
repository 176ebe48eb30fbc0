// The command `busbar watch`: a running bus on the whole terminal, drawn anew once a second, until q or Ctrl-C.
import { systemClock } from '../../shared/clock.js';
import type { HealthStatus } from '../../shared/health-status.js';
import type { LetterGroup } from '../../shared/logging-task.js';
import type { Command } from '../command.js';
import { asCliError, CliError, Exit } from '../exit.js';
import { nameOf, statusLines, subscriptionLines, totalLines } from '../health-view.js';
import { LiveBus } from '../live-bus.js';
import { existingFolder } from '../session.js';
import { fold, paint, print, safe, safeJson } from '../terminal.js';
import { showTime } from '../when.js';
import { causeLines } from './dlq-stats.js';

const PERIOD_MS = 1000;
const MOST_CAUSES = 12;
const CTRL_C = '\u0003';

export const watch: Command = {
  words: 'watch',
  says: 'The running bus on the whole terminal, once a second, until q or Ctrl-C. With --json: a line each second.',
  options: [],
  async run(args) {
    const folder = existingFolder(args.folder);
    const isJson = args.has('json');
    if (!isJson && !process.stdout.isTTY) {
      throw new CliError(Exit.USAGE, 'watch needs a terminal: use health, or watch --json');
    }
    const first = await LiveBus.connect(folder);
    if (first === undefined) throw new CliError(Exit.UNREACHABLE, `no bus answers in ${folder}: see health`);
    await first.close();
    const screen = isJson ? undefined : new Screen();
    const watcher = new Watcher(folder);
    while (screen?.isOpen !== false) {
      const seen = await watcher.look();
      if (screen === undefined) print(safeJson({ ...seen, rates: ratesForPrograms(seen) }));
      else screen.draw(frame(seen, screen.columns));
      await Promise.race([pause(), screen?.closed ?? new Promise(() => undefined)]);
    }
    await watcher.close();
    return Exit.DONE;
  },
};

/** What was seen in one look; `error`: why there was nothing to see. */
interface Seen {
  readonly at: number;
  readonly folder: string;
  readonly error: string | null;
  readonly pid: number;
  readonly health: HealthStatus | null;
  readonly causes: readonly LetterGroup[];
  /** Deliveries settled in the last second, by subscription. */
  readonly rates: ReadonlyMap<string, number>;
  readonly errorsPerSecond: number;
}

/** Looks again and again; a bus that is started anew is found again. */
class Watcher {
  readonly #folder: string;
  #bus: LiveBus | undefined;
  #last: { readonly health: HealthStatus; readonly elapsed: number } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async look(): Promise<Seen> {
    const seen = { at: systemClock.now() / 1000, folder: this.#folder, pid: 0, health: null, causes: [] };
    const nothing = { ...seen, rates: new Map<string, number>(), errorsPerSecond: 0 };
    try {
      this.#bus ??= await LiveBus.connect(this.#folder);
      if (this.#bus === undefined) return { ...nothing, error: 'no bus answers' };
      const { pid, health } = await this.#bus.ask({ ask: 'health' });
      const causes = await this.#bus.ask({ ask: 'letter-groups', filter: {} });
      return { ...seen, error: null, pid, health, causes, ...this.#ratesOf(health) };
    } catch (error) {
      await this.close();
      return { ...nothing, error: asCliError(error).message };
    }
  }

  async close(): Promise<void> {
    await this.#bus?.close();
    this.#bus = undefined;
    this.#last = undefined;
  }

  #ratesOf(health: HealthStatus): Pick<Seen, 'rates' | 'errorsPerSecond'> {
    const elapsed = systemClock.elapsed();
    const last = this.#last;
    this.#last = { health, elapsed };
    if (last === undefined) return { rates: new Map(), errorsPerSecond: 0 };
    const perSecond = (now: number, before: number): number =>
      Math.max(0, Math.round(((now - before) * 1000) / (elapsed - last.elapsed)));
    const before = settledOf(last.health);
    const rates = new Map([...settledOf(health)].map(([name, n]) => [name, perSecond(n, before.get(name) ?? 0)]));
    const errors = perSecond(health.errorStatistics?.totalErrors ?? 0, last.health.errorStatistics?.totalErrors ?? 0);
    return { rates, errorsPerSecond: errors };
  }
}

function settledOf({ subscriptions }: HealthStatus): Map<string, number> {
  return new Map(subscriptions.map((s) => [nameOf(s), s.succeeded + s.deadLettered + s.dropped]));
}

/** JSON knows no Map. */
function ratesForPrograms({
  health,
  rates,
}: Seen): readonly { pattern: string; subscriberId: string; perSecond: number }[] {
  return (health?.subscriptions ?? []).map((subscription) => {
    const { pattern, subscriberId } = subscription;
    return { pattern, subscriberId, perSecond: rates.get(nameOf(subscription)) ?? 0 };
  });
}

function frame(seen: Seen, columns: number): string[] {
  const { health, causes, rates, errorsPerSecond } = seen;
  const head = `${paint('bold', 'busbar watch')}  ${safe(seen.folder)}  ${showTime(seen.at)}  ${paint('dim', 'q quits')}`;
  if (health === null) return [head, '', paint('red', safe(seen.error ?? '')), 'waiting for it'];
  const lines = [head, '', ...statusLines(seen.pid, health), '', ...subscriptionLines(health, columns, rates), ''];
  lines.push(...totalLines(health), `${errorsPerSecond} errors in the last second`);
  if (causes.length > 0) lines.push('', ...causeLines(causes.slice(0, MOST_CAUSES), columns));
  return lines;
}

/** The terminal's other screen: what was there before comes back. */
class Screen {
  readonly closed: Promise<void>;
  isOpen = true;

  constructor() {
    process.stdout.write('\u001b[?1049h\u001b[?25l');
    process.once('exit', () => process.stdout.write('\u001b[?25h\u001b[?1049l'));
    this.closed = new Promise((resolve) => {
      const close = (): void => {
        this.isOpen = false;
        if (process.stdin.isTTY) process.stdin.setRawMode(false);
        process.stdin.destroy();
        resolve();
      };
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, close);
      if (!process.stdin.isTTY) return;
      process.stdin.setRawMode(true);
      // Ctrl-C comes as a key: the terminal is raw.
      process.stdin.on('data', (keys) => ['q', 'Q', CTRL_C].includes(keys.toString()) && close());
    });
  }

  get columns(): number {
    return process.stdout.columns || 80;
  }

  /** Line by line over the last one, so that nothing flickers. */
  draw(lines: readonly string[]): void {
    const rows = Math.max(1, (process.stdout.rows || 24) - 1);
    const folded = lines.flatMap((line) => fold(line, this.columns));
    const shown = folded.slice(0, rows).map((line) => `${line}\u001b[K\n`);
    process.stdout.write(`\u001b[H\u001b[?7l${shown.join('')}\u001b[J\u001b[?7h`);
  }
}

function pause(): Promise<void> {
  return new Promise((resume) => systemClock.after(PERIOD_MS, resume, true));
}
