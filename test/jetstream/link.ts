// A connection of a test's own to a server, beside those of buses.
import { Connection } from '../../src/transport/connection.js';
import type { ConnectionEvents, ConnectionOptions } from '../../src/transport/connection-words.js';

const ignore = (): void => undefined;

/** To be closed by the test. */
export function openLink(
  url: string,
  credentials: ConnectionOptions['credentials'] = {},
  events: ConnectionEvents = { down: ignore, up: ignore, error: ignore },
): Promise<Connection> {
  const limits = { connectTimeoutMs: 2000, pingMs: 2000, maxReconnectMs: 100 };
  return Connection.open({ servers: [url], credentials, name: 'link', ...limits }, events);
}
