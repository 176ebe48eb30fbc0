// Holds back what comes of a partition until all is here that was delivered before and not settled: then lets it go on in order.
import { type Claim, type ClaimParts, claim } from './claim.js';
import type { Brought } from './delivered.js';
import { type Here, upTo } from './presence.js';

export interface InOrderParts extends ClaimParts {
  readonly here: Here;
  /** Takes what is next in order; and what is here already, at any time. */
  readonly hand: (brought: Brought) => void;
  /** What was held back is not any more: it comes again, and no handler saw it. */
  readonly dropped: (brought: Brought) => void;
  /** Takes back all that was asked for: what comes of it all the same is told here. */
  readonly askNoMore: () => void;
  /** There may be something to ask for: see `wanted`. */
  readonly ask: () => void;
  /** What lies above this sequence is new, and comes after what is missing. Told before anything is asked for. */
  readonly newAbove: (sequence: number) => void;
  /** All has come that the servers delivered up to this sequence, and what comes now is next in order. */
  readonly flows: (deliveredUpTo: number) => void;
}

interface Gathering {
  readonly kind: 'gathering';
  readonly claim: Claim;
  came: number;
}

type Phase =
  /** What comes is not taken: it comes again. */
  { readonly kind: 'halted' } | { readonly kind: 'claiming' } | Gathering | { readonly kind: 'flowing' };

/**
 * Rounds that bring nothing of what is missing, until it is given up: the server keeps no such message. Many, for one that has too
 * little of its machine, or stood still, ends requests before it comes to serving them.
 */
const MOST_VAIN_ROUNDS = 20;

/** Runs on the main thread. */
export class InOrder {
  readonly #parts: InOrderParts;
  #phase: Phase = { kind: 'halted' };
  /** The number of the consumer's next delivery. */
  #next = 0;
  /** By sequence. */
  readonly #held = new Map<number, Brought>();
  #claims = 0;
  #vainRounds = 0;

  constructor(parts: InOrderParts) {
    const { here } = parts;
    this.#parts = {
      ...parts,
      here: {
        has: (sequence) => this.#held.has(sequence) || here.has(sequence),
        isSame: (delivery) => here.isSame(delivery),
        countUpTo: (sequence) => upTo(sequence, this.#held) + here.countUpTo(sequence),
      },
    };
  }

  /** How many to ask for; infinite: as many as there is room for. */
  get wanted(): number {
    const phase = this.#phase;
    if (phase.kind === 'flowing') return Number.POSITIVE_INFINITY;
    // All that is held may come again, too; and one more: when that comes, the server has nothing left of what was before.
    return phase.kind === 'gathering' ? phase.claim.missing - phase.came + this.#held.size + 1 : 0;
  }

  /** What is held back, which the server is to be told of, or it brings it again and again. */
  get held(): Iterable<Brought> {
    return this.#held.values();
  }

  /** Anything may be missing: makes sure that it comes first. */
  begin(): void {
    this.#vainRounds = 0;
    this.#claim();
  }

  /** Takes nothing more until `begin`; what was held back comes again. */
  halt(): void {
    this.#claims++;
    this.#phase = { kind: 'halted' };
    for (const brought of this.#held.values()) this.#parts.dropped(brought);
    this.#held.clear();
  }

  /** A message came. */
  came(brought: Brought): void {
    const phase = this.#phase;
    if (phase.kind === 'halted') return;
    const { sequence, number } = brought.delivery;
    const isNext = phase.kind !== 'claiming' && number === this.#next;
    if (isNext) this.#next++;
    if (phase.kind === 'flowing' && isNext) {
      this.#parts.hand(brought);
      return;
    }
    const isHere = this.#parts.here.isSame(brought.delivery);
    const isHeld = this.#held.has(sequence);
    if (isHere && !isHeld) this.#parts.hand(brought);
    else this.#hold(brought);
    if (phase.kind === 'claiming') return;
    // Something went elsewhere, or came late: what it was must not come after its successors.
    if (!isNext && (number > this.#next || phase.kind === 'flowing')) this.begin();
    else if (phase.kind === 'gathering' && !isHere && !isHeld) this.#gathered(phase, sequence);
  }

  #hold(brought: Brought): void {
    const { sequence } = brought.delivery;
    const before = this.#held.get(sequence);
    // It came here twice: no process vanished with it.
    if (before !== undefined) this.#parts.dropped(before);
    this.#held.set(sequence, brought);
  }

  /** A request is over: the server has nothing more to bring now, or has brought as many as were asked for. */
  ended(): void {
    if (this.#phase.kind === 'gathering') this.#endRound(this.#phase);
  }

  #claim(): void {
    const own = ++this.#claims;
    this.#phase = { kind: 'claiming' };
    this.#parts.askNoMore();
    const isOver = (): boolean => this.#claims !== own;
    void claim(this.#parts, isOver).then((claimed) => {
      if (claimed === undefined || isOver()) return;
      this.#next = claimed.next;
      this.#parts.newAbove(claimed.deliveredUpTo);
      this.#phase = { kind: 'gathering', claim: claimed, came: 0 };
      if (claimed.missing === 0) this.#flow(claimed);
      else this.#parts.ask();
    });
  }

  #gathered(phase: Gathering, sequence: number): void {
    const { missing, deliveredUpTo } = phase.claim;
    if (sequence > deliveredUpTo) {
      this.#endRound(phase);
      return;
    }
    phase.came++;
    if (phase.came === missing) this.#flow(phase.claim);
  }

  /** Not all of what is missing came: makes sure that there is no more of it. */
  #endRound({ claim: claimed, came }: Gathering): void {
    this.#vainRounds = came > 0 ? 0 : this.#vainRounds + 1;
    if (this.#vainRounds === MOST_VAIN_ROUNDS) this.#flow(claimed);
    else this.#claim();
  }

  #flow({ deliveredUpTo }: Claim): void {
    this.#phase = { kind: 'flowing' };
    const inOrder = [...this.#held].sort(([one], [other]) => one - other);
    this.#held.clear();
    for (const [, brought] of inOrder) this.#parts.hand(brought);
    this.#parts.flows(deliveredUpTo);
    this.#parts.ask();
  }
}

/** The highest of these sequences; 0: there is none. There may be more of them than a call takes arguments. */
export function highestOf(map: ReadonlyMap<number, unknown>): number {
  let highest = 0;
  for (const one of map.keys()) if (one > highest) highest = one;
  return highest;
}
