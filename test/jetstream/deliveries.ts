// Notes of a chaos trial's processes: each message that busbar was brought, under which sequence, and for which time.
import { appendFileSync, readFileSync } from 'node:fs';
import type { Transport, TransportMaker } from '../../src/transport/transport.js';

export interface Delivery {
  readonly n: number;
  readonly sequence: number;
  /** When the server stored it, in nanoseconds since 1970. With the sequence it names one message. */
  readonly storedAt: string;
  /** Times that the server delivered it, this one included. */
  readonly count: number;
  /** Attempts that busbar took for started before. */
  readonly started: number;
  /** Of the process. */
  readonly pid: number;
}

/** As the transport, but for a line in the file before each message is handed over. */
export function noting(maker: TransportMaker, file: string): TransportMaker {
  const start = async (...parts: Parameters<TransportMaker['start']>): Promise<Transport> => {
    const transport = await maker.start(...parts);
    const subscribe = transport.subscribe.bind(transport);
    const noted: Transport['subscribe'] = (intake) => {
      const take = intake.take.bind(intake);
      return subscribe(
        Object.assign(intake, {
          take: (...[arrival, ticket]: Parameters<typeof take>) => {
            const { reply } = ticket as unknown as { reply: string };
            const [, , , , count, sequence, , storedAt] = reply.split('.');
            const { id, started } = arrival;
            appendFileSync(file, `${id.slice(1)} ${sequence} ${storedAt} ${count} ${started} ${process.pid}\n`);
            take(arrival, ticket);
          },
        }),
      );
    };
    return Object.assign(transport, { subscribe: noted });
  };
  return { name: maker.name, start };
}

export function deliveriesIn(file: string): Delivery[] {
  const lines = readFileSync(file, 'latin1').split('\n').slice(0, -1);
  return lines.map((line) => {
    const [n, sequence, storedAt = '', count, started, pid] = line.split(' ');
    const numbers = { n: Number(n), sequence: Number(sequence), count: Number(count), started: Number(started) };
    return { ...numbers, storedAt, pid: Number(pid) };
  });
}
