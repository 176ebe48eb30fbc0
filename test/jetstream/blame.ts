// Who lost a message of a chaos trial, and how one came twice or late: by what was heard beside busbar, and what the stream still holds.
import type { Delivery } from './deliveries.js';
import type { Findings } from './ledger.js';
import type { Said, Wiretap } from './wiretap.js';

/** How a stored message was lost. */
export type Loss =
  /** Nobody ever said that it was handled, and it is not in the stream. */
  | 'the servers had them no more'
  /** What was acknowledged under their sequences were other messages, which the servers had brought under them. */
  | 'the servers gave their sequences to other messages'
  | 'they wait in the stream'
  /** Whoever took over a partition was told that the stream did not have it, and said so. */
  | 'busbar let go of them as gone'
  | 'busbar acknowledged them and did not handle them'
  | 'nothing was heard of them';

/** No more than this many of a kind are described one by one. */
const MOST_DESCRIBED = 8;

/** One line for each kind of loss; then one for each finding, up to a limit; how the servers say that they stand, if they have messages left. */
export async function blame(findings: Findings, tap: Wiretap, deliveries: readonly Delivery[]): Promise<string[]> {
  const evidence = new Evidence(tap, deliveries);
  const losses = new Map<Loss, number[]>();
  for (const n of findings.lost) {
    const loss = await evidence.lossOf(n);
    losses.set(loss, [...(losses.get(loss) ?? []), n]);
  }
  const lines = [...losses].map(([loss, all]) => `of ${all.length} acknowledged messages: ${loss}`);
  const moved = evidence.moved();
  if (moved > 0)
    lines.push(`${moved} messages came under a sequence that the servers never told: they do not agree on them`);
  for (const [loss, all] of losses) {
    for (const n of all.slice(0, MOST_DESCRIBED)) lines.push(`lost, ${loss}: ${evidence.of(n)}`);
  }
  for (const n of findings.unmarked.slice(0, MOST_DESCRIBED)) lines.push(`came twice unmarked: ${evidence.of(n)}`);
  for (const { n, after } of findings.disordered.slice(0, MOST_DESCRIBED)) {
    lines.push(`came late: ${evidence.of(n)}; before it came: ${evidence.of(after)}`);
  }
  return losses.has('they wait in the stream') ? [...lines, ...(await tap.states())] : lines;
}

class Evidence {
  readonly #tap: Wiretap;
  readonly #byNumber = new Map<number, Delivery[]>();
  /** By sequence and time of storing. */
  readonly #numbers = new Map<string, number>();

  constructor(tap: Wiretap, deliveries: readonly Delivery[]) {
    this.#tap = tap;
    for (const delivery of deliveries) {
      const { n, sequence, storedAt } = delivery;
      this.#byNumber.set(n, [...(this.#byNumber.get(n) ?? []), delivery]);
      this.#numbers.set(`${sequence} ${storedAt}`, n);
    }
  }

  /** How many messages were brought under a sequence that was not told when they were stored. */
  moved(): number {
    const moved = [...this.#byNumber].filter(([n, brought]) => {
      const told = this.#tap.sequencesOf(placeOf(n));
      return told.length > 0 && brought.some(({ sequence }) => !told.includes(sequence));
    });
    return moved.length;
  }

  async lossOf(n: number): Promise<Loss> {
    const sequences = this.#tap.sequencesOf(placeOf(n));
    if (sequences.length === 0) return 'nothing was heard of them';
    for (const sequence of sequences)
      if ((await this.#tap.idAt(sequence)) === `m${n}`) return 'they wait in the stream';
    const ends = sequences.flatMap((sequence) =>
      this.#tap
        .saidOf(sequence)
        .filter(isEnd)
        .map((said) => ({ ...said, of: this.#numbers.get(`${sequence} ${said.storedAt}`) })),
    );
    if (ends.some(({ of }) => of === n)) return 'busbar acknowledged them and did not handle them';
    if (ends.some(({ of }) => of !== undefined)) return 'the servers gave their sequences to other messages';
    return ends.length > 0 ? 'busbar let go of them as gone' : 'the servers had them no more';
  }

  /** All that is known of a message. */
  of(n: number): string {
    const stored = this.#tap.sequencesOf(placeOf(n)).map((sequence) => {
      const others = this.#tap.othersOf(sequence, placeOf(n)).map((place) => `, as was ${place + 1}`);
      const words = this.#tap.saidOf(sequence).map(({ word, count, storedAt }) => {
        const of = this.#numbers.get(`${sequence} ${storedAt}`);
        return `${word} to its delivery ${count}${storedAt === '0' ? ' by a claim' : of === n ? '' : ` of ${of}`}`;
      });
      return `stored as ${sequence}${others.join('')} (${words.join(', ')})`;
    });
    const brought = (this.#byNumber.get(n) ?? []).map(
      ({ sequence, count, started, pid }) => `brought to ${pid} as ${sequence}, ${count} times, ${started} started`,
    );
    return [`${n}`, ...stored, ...brought].join(', ');
  }
}

function isEnd({ word }: Said): boolean {
  return word.startsWith('+ACK') || word.startsWith('+TERM');
}

/** A trial's publisher sends nothing else, in order, from 1 on. */
function placeOf(n: number): number {
  return n - 1;
}
