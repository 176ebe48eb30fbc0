// Publishing that waits until the servers of a transport have stored the message.
import type { Publisher } from './publish.js';
import type { Remote } from './remote.js';
import { BusbarError } from './shared/errors.js';
import { assertNoDelay, assertPublishOptions, type PublishOptions } from './shared/publish-options.js';
import { assertTopic } from './shared/topics.js';
import type { Origin } from './transport/transport.js';

export interface StoredParts {
  readonly publisher: Publisher;
  readonly remote: Remote;
}

/**
 * Resolves once the servers have stored the message; while the buffer has no room, it waits for some, in order.
 *
 * @throws BUSBAR_NOT_RUNNING, BUSBAR_INVALID_TOPIC, BUSBAR_INVALID_OPTION, BUSBAR_REFUSED, and what the transport says
 */
export async function publishStored(
  { publisher, remote }: StoredParts,
  topic: string,
  payload: unknown,
  options: PublishOptions = {},
  origin: Origin = 'caller',
): Promise<void> {
  assertPublishOptions(options);
  assertNoDelay(options.delayMs);
  assertTopic(topic);
  if (!publisher.isOpen) throw new BusbarError('BUSBAR_NOT_RUNNING', 'publishAsync: the bus is not running');
  const message = publisher.outgoing(topic, payload, options);
  await new Promise<void>((resolve, reject) => {
    const isTaken = remote.publish(message, origin, (problem) => (problem === undefined ? resolve() : reject(problem)));
    if (!isTaken) reject(new BusbarError('BUSBAR_REFUSED', `the transport has not taken the message to ${topic}`));
  });
}
