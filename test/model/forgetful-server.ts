// A server with one stream and one consumer, stepped by hand: what it is sent and sends is on its way until then, and it may forget its end.
import type { Connection } from '../../src/transport/connection.js';
import type { Incoming } from '../../src/transport/connection-words.js';

/** What is on its way to the server, and what it says. */
type Word = () => void;

interface Stored {
  readonly n: number;
  readonly data: Buffer;
  readonly storedAt: string;
}

interface Pending {
  count: number;
  at: number;
}

interface Consumer {
  deliveredUpTo: number;
  deliveries: number;
  readonly pending: Map<number, Pending>;
}

interface Request {
  readonly inbox: string;
  readonly until: number;
  left: number;
}

export class ForgetfulServer {
  isUp = true;
  /** By sequence, in order. */
  readonly stream = new Map<number, Stored>();
  readonly link: Connection;
  readonly #now: () => number;
  readonly #ackWaitMs: number;
  readonly #onAcknowledged: (n: number) => void;
  #last = 0;
  #times = 0;
  #inboxes = 0;
  #consumer: Consumer = { deliveredUpTo: 0, deliveries: 0, pending: new Map() };
  #written = copyOf(this.#consumer);
  /** Sequences to be delivered again, before anything new. */
  readonly #again = new Set<number>();
  #requests: Request[] = [];
  #toServer: Word[] = [];
  #toClient: Word[] = [];
  readonly #listeners = new Map<string, (message: Incoming) => void>();
  readonly #waiting = new Set<(lost: Error) => void>();

  /** @param onAcknowledged it lets go of this message, which it has delivered */
  constructor(now: () => number, ackWaitMs: number, onAcknowledged: (n: number) => void) {
    this.#now = now;
    this.#ackWaitMs = ackWaitMs;
    this.#onAcknowledged = onAcknowledged;
    this.link = this.#linked() as unknown as Connection;
  }

  store(n: number, data: Buffer): void {
    this.stream.set(++this.#last, { n, data, storedAt: `17${String(++this.#times).padStart(17, '0')}` });
    this.#deliver();
  }

  /** What was sent first comes to the server. */
  hear(): void {
    this.#toServer.shift()?.();
    this.#deliver();
  }

  /** What it said first comes to the client. */
  speak(): void {
    this.#toClient.shift()?.();
  }

  /** Some time has gone by: ends requests whose time is over, and takes back what it has not heard of. */
  look(): void {
    this.#endRequests(({ until }) => until < this.#now(), 408);
    for (const [sequence, { at }] of this.#consumer.pending)
      if (this.#now() - at > this.#ackWaitMs) this.#again.add(sequence);
    this.#deliver();
  }

  /** Ends all requests, as a new leader does. */
  changeLeader(): void {
    this.#endRequests(() => true, 409);
  }

  /** Writes down how its consumer stands. */
  write(): void {
    this.#written = copyOf(this.#consumer);
  }

  /** The connection is lost, with what is on its way; the server hears the first few of it still. */
  lose(stillHeard: number): void {
    for (let count = 0; count < stillHeard; count++) this.hear();
    this.isUp = false;
    this.#toServer = [];
    this.#toClient = [];
    this.#requests = [];
    for (const reject of this.#waiting) reject(new Error('the connection was lost'));
    this.#waiting.clear();
  }

  /** It was killed: the last sequences are free again, and the consumer stands as it was written down, or as it stood. */
  forget(sequences: number, isWritten: boolean): void {
    this.#last = Math.max(0, this.#last - sequences);
    for (const sequence of [...this.stream.keys()]) if (sequence > this.#last) this.stream.delete(sequence);
    const { deliveredUpTo, deliveries, pending } = isWritten ? this.#written : this.#consumer;
    const known = [...pending].filter(([sequence]) => sequence <= this.#last && this.stream.has(sequence));
    this.#consumer = { deliveredUpTo: Math.min(this.#last, deliveredUpTo), deliveries, pending: new Map(known) };
    this.#again.clear();
    for (const [sequence] of known) this.#again.add(sequence);
    this.write();
  }

  #deliver(): void {
    for (let request = this.#requests[0]; request !== undefined; request = this.#requests[0]) {
      const sequence = this.#nextSequence();
      if (sequence === undefined) return;
      const consumer = this.#consumer;
      const pending = consumer.pending.get(sequence) ?? { count: 0, at: 0 };
      consumer.pending.set(sequence, pending);
      consumer.deliveredUpTo = Math.max(consumer.deliveredUpTo, sequence);
      pending.count++;
      pending.at = this.#now();
      const { data, storedAt } = this.stream.get(sequence) as Stored;
      const reply = `$JS.ACK.s.c.${pending.count}.${sequence}.${++consumer.deliveries}.${storedAt}.0`;
      const { inbox } = request;
      this.#toClient.push(() => this.#listeners.get(inbox)?.({ subject: 'a', data: Buffer.from(data), reply }));
      if (--request.left === 0) this.#requests.shift();
    }
  }

  #nextSequence(): number | undefined {
    const { pending, deliveredUpTo } = this.#consumer;
    for (const sequence of [...this.#again].sort((one, other) => one - other)) {
      this.#again.delete(sequence);
      if (pending.has(sequence) && this.stream.has(sequence)) return sequence;
    }
    return [...this.stream.keys()].find((sequence) => sequence > deliveredUpTo);
  }

  #endRequests(isOver: (request: Request) => boolean, code: number): void {
    const over = this.#requests.filter(isOver);
    this.#requests = this.#requests.filter((request) => !over.includes(request));
    const end = { subject: '', data: Buffer.of(), headers: { code, description: 'it is over' } };
    for (const { inbox } of over) this.#toClient.push(() => this.#listeners.get(inbox)?.(end));
  }

  #take(subject: string, data: string, reply: string): void {
    const { pending } = this.#consumer;
    if (subject.startsWith('$JS.API.CONSUMER.MSG.NEXT')) {
      const { batch, expires } = JSON.parse(data) as { batch: number; expires: number };
      this.#requests.push({ inbox: reply, left: batch, until: this.#now() + expires / 1e6 });
      return;
    }
    const sequence = Number(subject.split('.')[5]);
    const one = pending.get(sequence);
    if (one === undefined) return;
    if (data === '-NAK') this.#again.add(sequence);
    else if (data === '+WPI') one.at = this.#now();
    else {
      const stored = this.stream.get(sequence);
      pending.delete(sequence);
      this.stream.delete(sequence);
      if (stored !== undefined) this.#onAcknowledged(stored.n);
    }
  }

  #asked<T>(answer: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.isUp) {
        reject(new Error('there is no connection'));
        return;
      }
      this.#waiting.add(reject);
      this.#toServer.push(() => {
        const said = answer();
        this.#toClient.push(() => {
          this.#waiting.delete(reject);
          resolve(said);
        });
      });
    });
  }

  /** What a feed asks of a connection. */
  #linked() {
    const send = (subject: string, data: string, reply = ''): boolean =>
      this.isUp && this.#toServer.push(() => this.#take(subject, data, reply)) > 0;
    const isUp = (): boolean => this.isUp;
    return {
      get isUp() {
        return isUp();
      },
      largestMessage: 1000,
      send,
      sendSoon: send,
      inbox: () => `INBOX.${++this.#inboxes}`,
      listen: (inbox: string, listener: (message: Incoming) => void) => {
        this.#listeners.set(inbox, listener);
        const forget = (): void => {
          this.#requests = this.#requests.filter((request) => request.inbox !== inbox);
          this.#toClient.push(() => this.#listeners.delete(inbox));
        };
        return { drain: async () => void this.#toServer.push(forget) };
      },
      consumerState: () =>
        this.#asked(() => {
          const { deliveredUpTo, deliveries, pending } = this.#consumer;
          const settledUpTo = pending.size === 0 ? deliveredUpTo : Math.min(...pending.keys()) - 1;
          const requests = this.#requests.length;
          return { unacknowledged: pending.size, requests, undelivered: 0, deliveredUpTo, settledUpTo, deliveries };
        }),
      ask: (subject: string, data: string) => this.#asked(() => this.#take(subject, data, '')),
      read: (_stream: string, { seq }: { seq: number }) =>
        this.#asked(() => {
          const sequence = [...this.stream.keys()].find((one) => one >= seq);
          return sequence === undefined ? null : { sequence };
        }),
      streamState: () =>
        this.#asked(() => {
          const first = [...this.stream.keys()][0] ?? this.#last + 1;
          const all = Array.from({ length: this.#last + 1 - first }, (_, index) => first + index);
          const gone = all.filter((sequence) => !this.stream.has(sequence));
          return { count: this.stream.size, first, goneCount: gone.length, gone };
        }),
    };
  }
}

function copyOf({ pending, ...consumer }: Consumer): Consumer {
  return { ...consumer, pending: new Map([...pending].map(([sequence, one]) => [sequence, { ...one }])) };
}
