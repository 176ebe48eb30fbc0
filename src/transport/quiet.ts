// When it is safe to ask for more: messages that the server delivered and that never came must come before their successors.
import type { Clock } from '../shared/clock.js';
import type { Connection } from './connection.js';

export interface QuietParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly stream: string;
  readonly consumer: string;
  readonly ackWaitMs: number;
  readonly pullMs: number;
  /** Messages up to this sequence that are here and not settled. */
  readonly heldUpTo: (sequence: number) => number;
  readonly isOver: () => boolean;
}

const LOOK_AGAIN_MS = 100;
/** Beyond the times that were agreed on, for what lies on the way, and for a server that has too little of its machine: its timers are late. */
const MARGIN_MS = 1000;

/**
 * Resolves once all that the server has delivered and not heard of is here, so that what it brings next is what comes
 * next; or once the server must have taken back what it delivered elsewhere, so that it brings that first. It can take back nothing
 * later than `ackWaitMs` after the last request of whoever asked before.
 */
export async function messagesComeInOrder(parts: QuietParts): Promise<void> {
  const { connection, clock, ackWaitMs, pullMs } = parts;
  let latest = clock.elapsed() + ackWaitMs + pullMs + MARGIN_MS;
  while (!parts.isOver()) {
    const state = await stateOf(parts);
    if (state === undefined || !connection.isUp) latest = clock.elapsed() + ackWaitMs + pullMs + MARGIN_MS;
    else if (state.requests === 0 && state.unacknowledged === parts.heldUpTo(state.deliveredUpTo)) return;
    else if (clock.elapsed() > latest) return;
    await pause(clock);
  }
}

/** Resolves with true once the server holds no request for messages any more: what it delivers cannot get lost. */
export async function requestsEnd(parts: QuietParts): Promise<boolean> {
  const { clock, pullMs } = parts;
  const latest = clock.elapsed() + pullMs + MARGIN_MS;
  while (clock.elapsed() < latest && parts.connection.isUp) {
    if ((await stateOf(parts))?.requests === 0) return true;
    await pause(clock);
  }
  return false;
}

function stateOf({
  connection,
  stream,
  consumer,
}: QuietParts): Promise<Awaited<ReturnType<Connection['consumerState']>> | undefined> {
  // Without an answer nothing is known: the caller looks again.
  return connection.consumerState(stream, consumer).catch(() => undefined);
}

function pause(clock: Clock): Promise<void> {
  return new Promise((resume) => clock.after(LOOK_AGAIN_MS, resume));
}
