// A running bus, reached through the local socket in its folder.
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../shared/clock.js';
import {
  CONTROL_SOCKET,
  type ControlAnswers,
  type ControlReply,
  type ControlRequest,
  LONGEST_SOCKET_PATH,
} from '../shared/control.js';
import type { RedactOptions } from '../shared/redact.js';
import { busError, CliError, Exit } from './exit.js';

/** A main thread that is busy for longer is worth a word. Replays take as long as they take. */
const PATIENCE_MS = 10_000;

/** One connection; requests are answered in their order. */
export class LiveBus {
  readonly isLive = true;
  readonly #socket: Socket;
  readonly #patienceMs: number;
  readonly #waiting: { readonly resolve: (line: string) => void; readonly reject: (error: CliError) => void }[] = [];
  #received: string[] = [];
  #isGone = false;

  /** False: a bus there has none; Node would cut the path in silence, and look elsewhere. */
  static hasSocket(folder: string): boolean {
    return Buffer.byteLength(join(folder, CONTROL_SOCKET)) <= LONGEST_SOCKET_PATH && process.platform !== 'win32';
  }

  /** Undefined: no bus answers there. */
  static connect(folder: string, patienceMs = PATIENCE_MS): Promise<LiveBus | undefined> {
    if (!LiveBus.hasSocket(folder)) return Promise.resolve(undefined);
    const path = join(folder, CONTROL_SOCKET);
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('connect', () => resolve(new LiveBus(socket, patienceMs)));
      socket.once('error', (error: NodeJS.ErrnoException) => {
        // No socket, or that of a dead process.
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve(undefined);
        else reject(new CliError(Exit.UNREACHABLE, `the bus's socket cannot be used: ${error.message}`));
      });
    });
  }

  private constructor(socket: Socket, patienceMs: number) {
    this.#socket = socket;
    this.#patienceMs = patienceMs;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#gone(goneError()));
  }

  /** Rejects with a {@link CliError}. */
  async ask<R extends ControlRequest>(request: R): Promise<ControlAnswers[R['ask']]> {
    if (this.#isGone) throw goneError();
    const line = new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#socket.write(`${JSON.stringify(request)}\n`);
    const reply = JSON.parse(await (request.ask === 'replay' ? line : this.#inTime(line))) as ControlReply;
    if (!reply.ok) throw busError(reply.code, reply.message);
    return reply.answer as ControlAnswers[R['ask']];
  }

  redaction(): Promise<RedactOptions> {
    return this.ask({ ask: 'redaction' });
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return Promise.resolve();
  }

  #take(text: string): void {
    const [first = '', ...rest] = text.split('\n');
    this.#received.push(first);
    for (const next of rest) {
      const line = this.#received.join('');
      this.#received = [next];
      this.#waiting.shift()?.resolve(line);
    }
  }

  /** Who does not answer keeps nobody: what is asked after it would wait behind it, and an open socket keeps the process. */
  #inTime(line: Promise<string>): Promise<string> {
    const late = `the bus did not answer within ${this.#patienceMs / 1000} s: its main thread is busy`;
    const timer = systemClock.after(this.#patienceMs, () => this.#gone(new CliError(Exit.UNREACHABLE, late)), true);
    return line.finally(() => timer.cancel());
  }

  #gone(why: CliError): void {
    this.#isGone = true;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }
}

function goneError(): CliError {
  return new CliError(Exit.UNREACHABLE, 'the bus has closed the connection: it stopped, or its process ended');
}
