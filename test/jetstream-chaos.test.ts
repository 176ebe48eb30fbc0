// The short form of `npm run jetstream:chaos`: the server and a process are killed while messages are handled.
import { expect, it } from '@jest/globals';
import { NatsServer } from './jetstream/nats-server.js';
import { runTrial } from './jetstream/trial.js';
import { freshSeed, randomFrom } from './random.js';
import { describeWithNats } from './with-nats.js';

describeWithNats('processes on one server', () => {
  const seed = Number(process.env['BUSBAR_SEED'] ?? freshSeed());

  it(`lose nothing, keep the order of keys, and mark what comes twice, when they and the server are killed (BUSBAR_SEED=${seed})`, async () => {
    const server = await NatsServer.start();
    const lines: string[] = [];
    try {
      const findings = await runTrial({
        servers: [server],
        urls: [server.url],
        processes: 2,
        messages: 1000,
        keys: 100,
        courses: [
          { kinds: ['kill server'], count: 2 },
          { kinds: ['kill process'], count: 2 },
        ],
        everyMs: 200,
        transport: {
          stream: 'SHORT',
          partitions: 4,
          leaseMs: 500,
          ackWaitMs: 500,
          pingMs: 300,
          maxReconnectMs: 100,
          maxDeliver: 100,
        },
        random: randomFrom(seed),
        log: (line) => lines.push(line),
        settleMs: 20_000,
      });
      const { lost, unmarked, disordered, wrongLetters, dose, published, blamed } = findings;
      const faults = { 'kill server': 2, 'kill process': 2 };
      const kept = { dose: faults, lost: [], unmarked: [], disordered: [], wrongLetters: [], blamed: [], lines };
      expect({ dose, lost, unmarked, disordered, wrongLetters, blamed, lines }).toEqual(kept);
      expect(published).toBeGreaterThanOrEqual(1000);
    } finally {
      await server.stop();
    }
  }, 120_000);
});
