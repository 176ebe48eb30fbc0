// The demo's bus as a module, for `busbar dlq replay --app`: the subscriptions whose letters the demo leaves.
import { MessageBus } from '../../src/index.js';
import indexFile from './index-file.js';
import sabotage from './sabotage.js';

export default async function build(): Promise<MessageBus> {
  const bus = new MessageBus({ errorLogDir: 'data/logs/demo' });
  await bus.start();
  await bus.subscribe('file.found', indexFile, { subscriberId: 'index' });
  await bus.subscribe('sabotage.handler', sabotage, { subscriberId: 'sabotage', timeoutMs: 1000, graceMs: 200 });
  return bus;
}
