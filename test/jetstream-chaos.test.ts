// The short form of `npm run jetstream:chaos`: a process and the server are killed while messages are handled.
import { expect, it } from '@jest/globals';
import { NatsServer } from './jetstream/nats-server.js';
import { runTrial } from './jetstream/trial.js';
import { describeWithNats } from './with-nats.js';

describeWithNats('processes on one server', () => {
  it('lose nothing, keep the order of keys, and mark what comes twice, when they and the server are killed', async () => {
    const server = await NatsServer.start();
    try {
      const findings = await runTrial({
        servers: [server],
        urls: [server.url],
        processes: 2,
        messages: 1000,
        keys: 100,
        faults: ['kill server', 'kill process'],
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
        random: Math.random,
        log: () => undefined,
        settleMs: 30_000,
      });
      const { lost, unmarked, disordered, wrongLetters, published } = findings;
      expect({ published, lost, unmarked, disordered, wrongLetters }).toEqual({
        published: 1000,
        lost: [],
        unmarked: [],
        disordered: [],
        wrongLetters: [],
      });
    } finally {
      await server.stop();
    }
  }, 60_000);
});
