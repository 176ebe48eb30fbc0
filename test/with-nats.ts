// Suites that need nats-server.
import { describe, it } from '@jest/globals';
import { binary } from './jetstream/nats-server.js';

/** As `describe`. Without nats-server it is skipped, loudly; in CI it fails. */
export function describeWithNats(name: string, tests: () => void): void {
  if (binary !== undefined) {
    describe(name, tests);
    return;
  }
  const what = `"${name}" needs nats-server, and there is none: apt-get install -y nats-server`;
  if (process.env['CI'] === 'true') {
    describe(name, () => {
      it('needs nats-server', () => {
        throw new Error(what);
      });
    });
    return;
  }
  process.stderr.write(`\nSKIPPED: ${what}\n`);
  describe.skip(`${name} (no nats-server)`, tests);
}
