// Has the server bring again, at once and in order, what it delivered and what is not here: before anything new.
import type { Clock } from '../shared/clock.js';
import type { Connection } from './connection.js';
import type { ConsumerState } from './connection-words.js';
import { ACK, type Answer, NAK } from './delivered.js';

/** What is here of a partition. */
export interface Presence {
  /** Came, and is not settled. */
  has(sequence: number): boolean;
  /** How many of those there are up to this sequence. */
  countUpTo(sequence: number): number;
}

export interface ClaimParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly stream: string;
  readonly consumer: string;
  /** What the consumer is for. */
  readonly subject: string;
  /** Nobody's request lasts longer, in milliseconds. */
  readonly pullMs: number;
  readonly here: Presence;
  readonly report: (thrown: unknown, context: Record<string, unknown>) => void;
}

/** What a claim came to. */
export interface Claim {
  /** So many come before anything new. Too high where acknowledgements are on their way. */
  readonly missing: number;
  /** The number of the consumer's next delivery. */
  readonly next: number;
  /** What lies above this sequence is new. */
  readonly deliveredUpTo: number;
}

const AGAIN_MS = 50;
/** After failures: servers that elect a leader have more to do than to answer. */
const MOST_AGAIN_MS = 1000;
/** Requests at the same time. */
const READERS = 16;
/** Beyond the time of a request: timers of a server that has too little of its machine are late. */
const MARGIN_MS = 1000;
/** What a server that was killed may have forgotten reaches no farther back than this many sequences. */
const MOST_FORGOTTEN = 262_144;

/**
 * Waits until nobody else asks for messages, then takes back all that is delivered, not settled and not here. A consumer
 * brings what was taken back before what is new, and each delivery has a number: as long as numbers follow one another
 * from `next` on, nothing went elsewhere.
 *
 * @param isOver looked at before each attempt; undefined is returned once it is true
 */
export async function claim(parts: ClaimParts, isOver: () => boolean): Promise<Claim | undefined> {
  const { connection, clock, pullMs, consumer, report } = parts;
  const latest = clock.elapsed() + pullMs + MARGIN_MS;
  let again = AGAIN_MS;
  while (!isOver()) {
    try {
      // Whose requests do not end does not hold the partition: what goes there leaves a gap in the numbers.
      const claimed = await claimNow(parts, clock.elapsed() > latest);
      if (claimed !== undefined) return claimed;
      again = AGAIN_MS;
    } catch (thrown) {
      // Without a connection nothing is known; it reports its end itself.
      if (connection.isUp && again === AGAIN_MS) report(thrown, { consumer });
      again = Math.min(MOST_AGAIN_MS, again * 2);
    }
    await new Promise<void>((resume) => clock.after(again, resume));
  }
  return undefined;
}

/** Undefined: not now. */
async function claimNow(parts: ClaimParts, isPatienceOver: boolean): Promise<Claim | undefined> {
  const { connection, stream, consumer, here } = parts;
  const state = await connection.consumerState(stream, consumer);
  if (state.requests > 0 && !isPatienceOver) return undefined;
  if (state.unacknowledged === 0 || missingOf(state, here) === 0) return claimOf(state, here);
  const kept = await keptOf(parts, state);
  const away = kept.filter((sequence) => !here.has(sequence));
  // What was settled here, too: only a delivery tells that it is the same message.
  await answer(parts, state, away, NAK);
  const taken = await connection.consumerState(stream, consumer);
  if (taken.deliveries !== state.deliveries) return undefined;
  if (missingOf(taken, here) <= away.length) return claimOf(taken, here);
  // The stream has let go of what the consumer still waits for: nats-server 2.9 that was killed. Each would stop the
  // consumer in its turn until somebody asks again.
  await answer(parts, taken, await goneOf(parts, taken), ACK);
  return claimOf(await connection.consumerState(stream, consumer), here);
}

function claimOf(state: ConsumerState, here: Presence): Claim {
  const { deliveries, deliveredUpTo } = state;
  return { missing: Math.max(0, missingOf(state, here)), next: deliveries + 1, deliveredUpTo };
}

function missingOf({ unacknowledged, deliveredUpTo }: ConsumerState, here: Presence): number {
  return unacknowledged - here.countUpTo(deliveredUpTo);
}

/** The sequences that may be unsettled: they are in the stream. In order. */
async function keptOf(parts: ClaimParts, { settledUpTo, deliveredUpTo }: ConsumerState): Promise<number[]> {
  // One answer after the other takes longer than a lease, where there are many.
  const size = Math.ceil((deliveredUpTo - settledUpTo) / READERS);
  const runs = Array.from({ length: READERS }, (_, index) => {
    const before = settledUpTo + index * size;
    return keptBetween(parts, before, Math.min(before + size, deliveredUpTo));
  });
  return (await Promise.all(runs)).flat();
}

/** Those above `before`, up to `last`. */
async function keptBetween(parts: ClaimParts, before: number, last: number): Promise<number[]> {
  const { connection, stream, subject } = parts;
  const sequences: number[] = [];
  for (let sequence = before; sequence < last; ) {
    const kept = await connection.read(stream, { seq: sequence + 1, next_by_subj: subject });
    if (kept === null || kept.sequence > last) break;
    sequence = kept.sequence;
    sequences.push(sequence);
  }
  return sequences;
}

/**
 * The sequences that may be unsettled by what the consumer says, and are not in the stream, as the stream itself says: a
 * message that the server could not read just now is "not found", too. None, where the stream has too many of them to tell.
 */
async function goneOf({ connection, stream }: ClaimParts, state: ConsumerState): Promise<number[]> {
  const first = Math.max(state.settledUpTo + 1, state.deliveredUpTo - MOST_FORGOTTEN);
  const { goneCount } = await connection.streamState(stream, false);
  if (goneCount > MOST_FORGOTTEN) return [];
  const kept = await connection.streamState(stream, true);
  const before = Math.max(0, Math.min(kept.first, state.deliveredUpTo + 1) - first);
  const sequences = Array.from({ length: before }, (_, index) => first + index);
  for (const sequence of kept.gone) if (sequence >= first && sequence <= state.deliveredUpTo) sequences.push(sequence);
  return sequences;
}

/** Answers deliveries whose reply subjects never came here. Resolves once the server has carried it out. */
async function answer(
  { connection, stream, consumer }: ClaimParts,
  { deliveries }: ConsumerState,
  sequences: readonly number[],
  word: Answer,
): Promise<void> {
  // As the server writes them: deliveries of the message, its sequence, the delivery's number, time, messages to come. By the
  // number of the last delivery, the server brings nothing again once all is settled.
  const subjectOf = (sequence: number): string => `$JS.ACK.${stream}.${consumer}.1.${sequence}.${deliveries}.0.0`;
  const last = sequences.at(-1);
  if (last === undefined) return;
  for (const sequence of sequences.slice(0, -1)) connection.send(subjectOf(sequence), word);
  await connection.ask(subjectOf(last), word);
}
