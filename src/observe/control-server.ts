// The local socket of a running bus: takes lines of JSON from the command line, and writes back what they are answered with.
import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { systemClock, type Timer } from '../shared/clock.js';
import {
  CONTROL_SOCKET,
  type ControlReply,
  LONGEST_SOCKET_PATH,
  MOST_ANSWER_BYTES,
  MOST_REQUEST_BYTES,
} from '../shared/control.js';
import { BusbarError } from '../shared/errors.js';
import type { ControlHealth } from '../shared/health-status.js';
import { peekText } from '../shared/hostile.js';
import { realPath } from './real-path.js';

/** For a further connection the one is closed that has asked nothing for longest; where all are being answered, the further one. */
const MOST_CONNECTIONS = 16;
/** A client that has not asked for so long is gone, or never meant to, in milliseconds. */
const IDLE_MS = 10_000;
/** Whether the socket is still in its place is looked at so often, in milliseconds. */
const LOOK_MS = 2000;

/** Folders of this process that have a socket: a second bus on one of them takes it once the first has stopped, not before. */
const served = new Set<string>();

/**
 * Owned by one bus from start to stop, in a folder that this process has locked: a socket that lies there already is a
 * dead process's, and is replaced. Runs on the main thread, keeps no process alive, and never throws: what goes wrong is
 * told by `onTrouble` and by {@link health}.
 */
export class ControlServer {
  readonly #folder: string;
  readonly #answer: (request: unknown) => Promise<unknown>;
  readonly #onTrouble: (trouble: BusbarError) => void;
  /** False: it is being answered. Who has waited for longest comes first. */
  readonly #idle = new Map<Socket, boolean>();
  #looks: Timer | undefined;
  #isGone = false;
  #server: Server | undefined;
  #trouble: BusbarError | undefined;
  /** Tells our socket from one that took its name; 0: it is not in its place yet. */
  #inode = 0;

  /** @param answer what is asked is not checked yet; it may reject */
  constructor(
    folder: string,
    answer: (request: unknown) => Promise<unknown>,
    onTrouble: (trouble: BusbarError) => void,
  ) {
    this.#folder = folder;
    this.#answer = answer;
    this.#onTrouble = onTrouble;
  }

  get health(): ControlHealth {
    const error = this.#trouble?.message ?? null;
    const isInPlace = this.#inode !== 0 && !this.#isGone;
    return { listening: isInPlace && (this.#server?.listening ?? false), path: this.#path, error };
  }

  async open(): Promise<void> {
    const obstacle = this.#obstacle();
    if (obstacle !== undefined) {
      this.#fail(obstacle);
      return;
    }
    if (!served.has(realPath(this.#folder))) return this.#serve();
    this.#fail('another bus of this process has the socket of this folder, until it stops');
    this.#looks = systemClock.every(LOOK_MS, () => void this.#takeOver());
  }

  /** The other bus has stopped: the command line reaches this one from now on. Never rejects. */
  async #takeOver(): Promise<void> {
    if (served.has(realPath(this.#folder))) return;
    this.#looks?.cancel();
    this.#trouble = undefined;
    await this.#serve();
  }

  async #serve(): Promise<void> {
    served.add(realPath(this.#folder));
    try {
      await this.#listen();
      // Closed meanwhile, it is looked after no more.
      if (this.#server !== undefined) this.#looks = systemClock.every(LOOK_MS, () => void this.#look());
    } catch (cause) {
      this.#server?.close();
      this.#server = undefined;
      served.delete(realPath(this.#folder));
      this.#fail(`${this.#path} cannot be made: ${peekText(cause, 'message', 300) ?? 'for a reason unknown'}`, cause);
    }
  }

  /** The last but for the log: until then an operator hears that the bus is stopping. What is not answered yet never is. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#looks?.cancel();
    if (server === undefined) return;
    server.close();
    for (const socket of this.#idle.keys()) socket.destroy();
    served.delete(realPath(this.#folder));
    try {
      if ((await lstat(this.#path)).ino === this.#inode) await rm(this.#path);
    } catch {
      // Somebody has removed it already, or its whole folder.
    }
  }

  /** A folder that was deleted takes the socket with it: made again as soon as there is a folder. Never rejects. */
  async #look(): Promise<void> {
    const old = this.#server;
    if (old === undefined || !(await isMissing(this.#path)) || this.#server !== old) return;
    if (!this.#isGone) {
      this.#isGone = true;
      this.#fail(`${this.#path} was removed; it is made again as soon as its folder is there`);
    }
    try {
      await this.#listen();
    } catch {
      // No folder yet: the next look tries again.
      if (this.#server !== old) this.#server?.close();
      this.#server = old;
      return;
    }
    old.close();
    this.#isGone = false;
    this.#trouble = new BusbarError('BUSBAR_CONTROL_SOCKET', `${this.#path} was removed, and made again`);
  }

  get #path(): string {
    return join(this.#folder, CONTROL_SOCKET);
  }

  /** Why there can be no socket here, as far as that is known beforehand. */
  #obstacle(): string | undefined {
    if (process.platform === 'win32') return 'there is no local socket on Windows';
    const bytes = Buffer.byteLength(this.#path);
    // Longer ones are cut in silence by some versions of Node, and would lie anywhere.
    if (bytes <= LONGEST_SOCKET_PATH) return undefined;
    const limit = `a socket's path may have ${LONGEST_SOCKET_PATH} bytes, and ${this.#path} has ${bytes}`;
    return `${limit}: choose a shorter errorLogDir`;
  }

  /** Made in a private folder and moved to its place: nobody else can connect before its mode is set, and a stale one is replaced. */
  async #listen(): Promise<void> {
    const cradle = await mkdtemp(join(this.#folder, '.c'));
    try {
      const path = join(cradle, 's');
      const server = createServer({ allowHalfOpen: true }, (socket) => this.#connected(socket));
      this.#server = server;
      server.unref();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ path, exclusive: true }, resolve);
      });
      server.removeAllListeners('error');
      server.on('error', (error) => this.#fail(`${this.#path} failed: ${error.message}`, error));
      await chmod(path, 0o600);
      const { ino } = await lstat(path);
      await rename(path, this.#path);
      this.#inode = ino;
    } finally {
      await rm(cradle, { recursive: true, force: true });
    }
  }

  #connected(socket: Socket): void {
    socket.unref();
    this.#idle.set(socket, true);
    socket.once('close', () => this.#idle.delete(socket));
    // A client that goes away in the middle is no fault of the bus.
    socket.on('error', () => socket.destroy());
    if (this.#idle.size > MOST_CONNECTIONS) {
      const [longest = socket] = [...this.#idle].find(([, isIdle]) => isIdle) ?? [];
      longest.destroy();
      this.#idle.delete(longest);
    }
    this.#converse(socket).catch((error: unknown) => {
      socket.destroy();
      if (!isGone(error))
        this.#fail(`a conversation on ${this.#path} failed: ${peekText(error, 'message', 300)}`, error);
    });
  }

  /** One request after the other: the next is read when the last one's answer is on its way. */
  async #converse(socket: Socket): Promise<void> {
    let waiting: Buffer[] = [];
    let bytes = 0;
    const patience = (): Timer => systemClock.after(IDLE_MS, () => socket.destroy());
    let idle = patience();
    socket.once('close', () => idle.cancel());
    let isRefused = false;
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      // Read to its end, for a while: a connection that is closed before is reset, and what was said is lost.
      if (isRefused) continue;
      idle.cancel();
      this.#idle.delete(socket);
      this.#idle.set(socket, false);
      let rest = chunk;
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        const line = Buffer.concat([...waiting, rest.subarray(0, end)]);
        waiting = [];
        bytes = 0;
        rest = rest.subarray(end + 1);
        await send(socket, await this.#reply(line));
      }
      waiting.push(rest);
      bytes += rest.length;
      if (bytes > MOST_REQUEST_BYTES) {
        const refusal = refused('BUSBAR_CONTROL_REQUEST', `a request may have ${MOST_REQUEST_BYTES} bytes`);
        await send(socket, JSON.stringify(refusal));
        socket.end();
        isRefused = true;
        waiting = [];
      }
      if (!socket.destroyed) {
        this.#idle.set(socket, true);
        idle = patience();
      }
    }
    socket.end();
  }

  async #reply(line: Buffer): Promise<string> {
    let reply: ControlReply;
    try {
      reply = { ok: true, answer: await this.#answer(parse(line)) };
    } catch (error) {
      const message = peekText(error, 'message', 2000) ?? `thrown ${typeof error}`;
      if (error instanceof BusbarError) reply = refused(error.code, message);
      else {
        this.#fail(`a request could not be answered: ${message}`, error);
        reply = refused('BUSBAR_CONTROL_REQUEST', message);
      }
    }
    const text = JSON.stringify(reply);
    if (text.length <= MOST_ANSWER_BYTES) return text;
    const limit = `the answer has ${text.length} characters, and may have ${MOST_ANSWER_BYTES}: ask for less`;
    return JSON.stringify(refused('BUSBAR_CONTROL_REQUEST', limit));
  }

  #fail(message: string, cause?: unknown): void {
    this.#trouble = new BusbarError('BUSBAR_CONTROL_SOCKET', message, { cause });
    this.#onTrouble(this.#trouble);
  }
}

async function isMissing(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return false;
  } catch (error) {
    return peekText(error, 'code', 20) === 'ENOENT';
  }
}

function refused(code: string, message: string): ControlReply {
  return { ok: false, code, message };
}

/** @throws BUSBAR_CONTROL_REQUEST */
function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    throw new BusbarError('BUSBAR_CONTROL_REQUEST', 'a request must be a line of JSON');
  }
}

/** Resolves when there is room for more, so that a client that does not read makes nothing pile up. */
function send(socket: Socket, text: string): Promise<void> {
  return new Promise((resolve, reject) => socket.write(`${text}\n`, (error) => (error ? reject(error) : resolve())));
}

/** The client went away. */
function isGone(error: unknown): boolean {
  const code = peekText(error, 'code', 100);
  return code !== undefined && /^(?:EPIPE|ECONNRESET|ERR_STREAM_.*|ABORT_ERR|ECANCELED)$/.test(code);
}
