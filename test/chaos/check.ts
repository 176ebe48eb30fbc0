// Compares what became of each message in chaos with what had to, and says what is wrong.
import type { HealthStatus, StoredLetter } from '../../src/index.js';
import { type DeedName, deedOf, type FailureCategory } from './deeds.js';
import type { Ledger } from './ledger.js';
import type { Order } from './misbehaves.js';
import type { Plan, PlannedMessage } from './plan.js';

/** The accounting law, of one snapshot: routed = succeeded + deadLettered + dropped + pending. */
export function brokenLaw(health: HealthStatus): string[] {
  return health.subscriptions
    .filter(({ routed, succeeded, deadLettered, dropped, pending }) => {
      return routed !== succeeded + deadLettered + dropped + pending || pending < 0;
    })
    .map((broken) => `the law is broken: ${JSON.stringify(broken)}`);
}

/**
 * What is wrong once everything is settled.
 *
 * @param lingering reports of threads that took long to end: on a busy machine that is nobody's failure
 */
export function wrongsOf(
  plan: Plan,
  ledger: Ledger,
  letters: readonly StoredLetter[],
  health: HealthStatus,
  lingering: number,
): string[] {
  const wrongs: string[] = [];
  const byNumber = new Map<number, StoredLetter>();
  for (const letter of letters) {
    const { n } = letter.message.payload as Order;
    if (byNumber.has(n)) wrongs.push(`message ${n} has two letters`);
    byNumber.set(n, letter);
  }
  const lates = plan.messages.map((message, n) => latesOf(message, n, ledger, byNumber.get(n)));
  plan.messages.forEach((message, n) => {
    const own = wrongsOfMessage(message, n, ledger, byNumber.get(n), (lates[n] as number) > 0);
    wrongs.push(...own.map((wrong) => `message ${n}: ${wrong}`));
  });
  const { count, one } = ledger.overtaken;
  if (count > 0) {
    const { subject, key, priority, deed } = plan.messages[one] as PlannedMessage;
    wrongs.push(`${count} were overtaken, such as ${one} of ${subject.topic} ${key} ${priority}, ${deed}`);
  }
  return [...wrongs, ...wrongSums(plan, health, lates, lingering)];
}

/** How many of its attempts ran past their deadline without meaning to: the machine was busy, and the bus may have charged them. */
function latesOf({ deed }: PlannedMessage, n: number, ledger: Ledger, letter: StoredLetter | undefined): number {
  const { category, failed } = deed === undefined ? { category: undefined, failed: 0 } : deedOf(deed);
  const meant = category === 'timeout_error' ? failed : 0;
  return Math.max(0, ledger.latesOf(n, letter === undefined ? 0 : letter.timestamp * 1000) - meant);
}

function wrongsOfMessage(
  { subject, deed: name }: PlannedMessage,
  n: number,
  ledger: Ledger,
  letter: StoredLetter | undefined,
  isLate: boolean,
): string[] {
  const what = name ?? 'innocent';
  const deed = name === undefined ? { failed: 0 } : deedOf(name);
  const dones = ledger.donesOf(n);
  const starts = ledger.startsOf(n);
  const fate = deed.fate;
  const wrongs: string[] = [];
  // It has one end all the same: it is done, dropped, or in a letter.
  if (isLate && (dones > 0 || letter !== undefined || fate === 'dropped')) return wrongs;
  if (fate === undefined && dones === 0) wrongs.push(`${what} was lost (started ${starts})`);
  if (fate !== undefined && dones > 0) wrongs.push(`${what} was done`);
  // Several at a time: it may have been done when another's deed ended their thread.
  if (dones > 1 && !subject.isConcurrent) wrongs.push(`${what} was done ${dones} times`);
  if (fate === undefined || fate === 'dropped') {
    if (letter !== undefined) wrongs.push(`${what} was given up: ${letter.reason}, ${letter.error.message}`);
    return wrongs;
  }
  if (letter === undefined) return [...wrongs, `${what} has no letter (started ${starts})`];
  if (letter.reason !== fate) wrongs.push(`${what} was given up for ${letter.reason}, not ${fate}`);
  if (letter.failed !== deed.failed) wrongs.push(`${what} was charged ${letter.failed} attempts, not ${deed.failed}`);
  if (deed.category !== undefined && letter.error_category !== deed.category) {
    wrongs.push(`${what} is a ${letter.error_category}, not a ${deed.category}`);
  }
  if (letter.started < starts) wrongs.push(`${what} began ${starts} times, and ${letter.started} are counted`);
  return wrongs;
}

/** A thread that ends under several at a time charges nobody; it may have been the only time that this one did it. */
function leastFailed(name: DeedName, isConcurrent: boolean): number {
  return isConcurrent && name.endsWith('once') ? 0 : deedOf(name).failed;
}

/** Failures by category, and recoveries, add up to what was done: so nobody else was charged. */
function wrongSums(plan: Plan, health: HealthStatus, lates: readonly number[], lingering: number): string[] {
  const wrongs: string[] = [];
  const least = new Map<FailureCategory, number>();
  const most = new Map<FailureCategory, number>();
  const add = (sums: Map<FailureCategory, number>, category: FailureCategory, count: number): void => {
    sums.set(category, (sums.get(category) ?? 0) + count);
  };
  for (const sums of [least, most]) add(sums, 'connection_error', lingering);
  let recoveredLeast = 0;
  let recoveredMost = 0;
  for (const [n, { subject, deed: name }] of plan.messages.entries()) {
    const late = lates[n] as number;
    add(most, 'timeout_error', late);
    if (late > 0) recoveredMost++;
    if (name === undefined) continue;
    const { category, failed, fate } = deedOf(name);
    const failedLeast = late > 0 ? 0 : leastFailed(name, subject.isConcurrent);
    if (category !== undefined) {
      add(least, category, failedLeast);
      // Its retries are counted anew after a failure of another category.
      add(most, category, failed * (1 + late));
    }
    // Its thread may end before it throws; discarding and giving up are reported, too.
    if (name === 'throw after the end') add(most, 'message_processing_error', 1);
    if (name === 'discard' || name === 'give up') {
      add(least, 'message_processing_error', late > 0 ? 0 : 1);
      add(most, 'message_processing_error', 1);
    }
    if (fate === undefined && failed > 0) {
      recoveredMost++;
      if (failedLeast > 0) recoveredLeast++;
    }
  }
  for (const [category, counted] of Object.entries(health.errorStatistics?.categories ?? {})) {
    const from = least.get(category as FailureCategory) ?? 0;
    const to = most.get(category as FailureCategory) ?? 0;
    if (counted < from || counted > to) wrongs.push(`${counted} failures of ${category}, not ${from} to ${to}`);
  }
  const { errorsRecovered } = health;
  if (errorsRecovered < recoveredLeast || errorsRecovered > recoveredMost) {
    wrongs.push(`${errorsRecovered} recovered, not ${recoveredLeast} to ${recoveredMost}`);
  }
  return wrongs;
}
