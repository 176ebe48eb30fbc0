// Replays dead letters, a few at a time, until it is killed or done; tells what was handled and what was resolved.
import { MessageBus } from '../../src/index.js';
import { tell } from './tell.js';

const [, , folder = ''] = process.argv;
const AT_ONCE = 5;

const bus = new MessageBus({ errorLogDir: folder, threads: 1, spareThreads: 0 });
await bus.start();
await bus.subscribe(
  'crash.*',
  (payload) => {
    tell(`handled ${(payload as { n: string }).n}\n`);
  },
  { subscriberId: 's' },
);
const queue = bus.deadLetterQueue;
const ids = (await queue?.list())?.map(({ error_id: id }) => id) ?? [];
for (let start = 0; start < ids.length; start += AT_ONCE) {
  const result = await queue?.replay(ids.slice(start, start + AT_ONCE));
  tell(result?.replayed.map((id) => `resolved ${id}\n`).join('') ?? '');
}
await bus.stop();
