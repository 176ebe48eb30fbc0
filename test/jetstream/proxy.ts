// A TCP proxy whose connections can be cut.
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Between clients and one server, on loopback. */
export class TcpProxy {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  port = 0;

  constructor(target: number) {
    this.#server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1');
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.pipe(other);
        // A reset is what this is for; the other side hears of it by the close.
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
    });
  }

  /** Again after `close`, too: where it was. */
  async listen(): Promise<void> {
    await new Promise<void>((listening) => this.#server.listen(this.port, '127.0.0.1', listening));
    const address = this.#server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    this.cut();
    await closed;
  }
}
