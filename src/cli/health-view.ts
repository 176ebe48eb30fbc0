// A bus's health in lines of text: for `health`, and for `watch` once a second.
import type { HealthLevel, HealthStatus, SubscriptionHealth, TransportHealth } from '../shared/health-status.js';
import { type Cell, fittedTable } from './table.js';
import { paint, type Style, safe } from './terminal.js';
import { showSpan } from './when.js';

const STYLE_OF: Readonly<Record<HealthLevel, Style>> = { healthy: 'green', degraded: 'yellow', critical: 'red' };

export function statusLines(pid: number, health: HealthStatus): string[] {
  const { status, reasons, running, uptimeSeconds } = health;
  const life = running ? `running for ${showSpan(uptimeSeconds)}` : 'stopping';
  return [
    `${paint(STYLE_OF[status] ?? 'red', safe(status))}  process ${pid}, ${life}`,
    ...reasons.map((reason) => `  ${paint('yellow', safe(reason))}`),
  ];
}

/** `routed` is the sum of the four that follow it. */
const LEAST_MISSED = ['routed', 'retrying', 'in flight', 'dropped', '/s'];

/** @param rates deliveries settled in the last second, by subscription; undefined: not measured */
export function subscriptionLines(health: HealthStatus, most?: number, rates?: ReadonlyMap<string, number>): string[] {
  if (health.subscriptions.length === 0) return ['no subscriptions'];
  const header = [
    'subscriber',
    'pattern',
    'routed',
    'succeeded',
    'dead',
    'dropped',
    'pending',
    'in flight',
    'retrying',
  ];
  const rows = health.subscriptions.map((s) => [
    s.subscriberId,
    s.pattern,
    s.routed,
    s.succeeded,
    s.deadLettered,
    s.dropped,
    s.pending,
    s.inFlight,
    s.retrying,
    ...(rates === undefined ? [] : [rates.get(nameOf(s)) ?? 0]),
    breakerCell(s),
  ]);
  const columns = [...header, ...(rates === undefined ? [] : ['/s']), 'breaker'];
  return fittedTable(columns, rows, { optional: LEAST_MISSED }, most);
}

/** Tells a subscription from all others. */
export function nameOf({ pattern, subscriberId }: SubscriptionHealth): string {
  return `${pattern}\n${subscriberId}`;
}

function breakerCell({ breaker, held, paused }: SubscriptionHealth): Cell {
  if (paused) return { text: `${breaker ?? 'none'}, paused`, style: 'yellow' };
  if (breaker === null) return 'none';
  const text = held ? `${breaker}, held` : breaker;
  return { text, style: breaker === 'closed' ? 'green' : breaker === 'disabled' ? 'dim' : 'red' };
}

function transportLines({ name, connected, deadLetters, deadLettersAgeSeconds, ...counts }: TransportHealth): string[] {
  const state = connected ? 'connected' : paint('red', 'no connection');
  const age = deadLettersAgeSeconds === null ? '' : ` ${showSpan(deadLettersAgeSeconds)} ago`;
  const letters =
    deadLetters === null ? 'dead letters not counted yet' : `${deadLetters} dead letters on the servers${age}`;
  const troubles = Object.entries({
    'messages not stored yet': counts.unstored,
    'letters not stored yet': counts.unstoredLetters,
    refused: counts.refused,
    'never taken, and dead letters here': counts.unpublished,
    'connections lost': counts.disconnects,
  }).filter(([, count]) => count > 0);
  const told = troubles.map(([what, count]) => `${count} ${what}`).join(', ');
  return [`${safe(name)} ${state}, ${letters}`, ...(told === '' ? [] : [`  ${paint('yellow', told)}`])];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

export function totalLines(health: HealthStatus): string[] {
  const { threads, logging, errorStatistics: errors, control, transport } = health;
  // They begin with the first handler that runs on one.
  const wereNeeded = threads.alive + threads.replaced > 0;
  const unrouted = health.unrouted === null ? '' : `, ${health.unrouted} unrouted`;
  const lines = [
    `success rate ${percent(health.recentSuccessRate)} lately, ${percent(health.successRate)} of all ${health.messagesProcessed}`,
    `${health.errorsRecovered} recovered after errors, ${health.mainQueueSize} pending${unrouted}`,
    wereNeeded
      ? `threads ${threads.alive} of ${threads.configured} alive, ${threads.replaced} replaced`
      : `threads: none of ${threads.configured} needed yet`,
  ];
  if (errors !== null) {
    lines.push(
      `errors ${errors.totalErrors}, ${errors.recentErrors1h} in the last hour, ${errors.errorRate1h.toFixed(2)} a minute`,
    );
    const categories = Object.entries(errors.categories).filter(([, count]) => count > 0);
    if (categories.length > 0) lines.push(`  ${safe(categories.map(([name, n]) => `${name} ${n}`).join(', '))}`);
  }
  if (logging !== null) {
    lines.push(`logging worker ${logging.up ? 'up' : paint('red', 'down')}, ${logging.deadLetters} dead letters`);
    const troubles = Object.entries({
      'not on the disk yet': logging.unpersisted,
      'letters lost': logging.lostLetters,
      'reports lost': logging.lostReports,
      'log lines lost': logging.lostLogLines,
      'failed writes': logging.failedWrites,
      'damaged lines set aside': logging.corruptLines,
      'torn tails cut': logging.tornTails,
      'times restarted': logging.restarts,
    }).filter(([, count]) => count > 0);
    if (troubles.length > 0) lines.push(`  ${paint('yellow', troubles.map(([name, n]) => `${n} ${name}`).join(', '))}`);
  }
  if (transport !== null) lines.push(...transportLines(transport));
  if (control?.error != null) lines.push(`  ${paint('yellow', safe(control.error))}`);
  return lines;
}
