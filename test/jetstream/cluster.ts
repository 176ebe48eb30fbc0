// Several nats-servers that know one another, and who of them leads.
import { freePort, NatsServer } from './nats-server.js';

/** A cluster has its leader within this time, also on a machine that is busy. */
const ELECTION_MS = 30_000;
const LOOK_AGAIN_MS = 50;
/** A server that was killed has caught up within this time, also on a machine that is busy. */
const CATCHING_UP_MS = 120_000;

/** What a server tells of itself by HTTP, as far as it is read here. */
interface Told {
  readonly meta_cluster?: { readonly leader?: string; readonly cluster_size?: number };
  readonly account_details?: readonly { readonly stream_detail?: readonly ToldStream[] }[];
}

interface ToldStream {
  readonly name: string;
  readonly cluster?: ToldGroup;
  readonly consumer_detail?: readonly { readonly cluster?: ToldGroup }[];
}

/** Servers that keep the same; only their leader knows how the others do. */
interface ToldGroup {
  readonly leader?: string;
  readonly replicas?: readonly { readonly current?: boolean; readonly offline?: boolean }[];
}

/** Ended after use with `stop`. */
export class Cluster {
  readonly servers: readonly NatsServer[];
  readonly #monitors: readonly number[];

  private constructor(servers: readonly NatsServer[], monitors: readonly number[]) {
    this.servers = servers;
    this.#monitors = monitors;
  }

  /** Resolves once all servers know their leader. */
  static async start(size: number): Promise<Cluster> {
    const ports = await Promise.all(Array.from({ length: size }, freePort));
    const monitors = await Promise.all(Array.from({ length: size }, freePort));
    const routes = ports.map((port) => `nats-route://127.0.0.1:${port}`).join(',');
    const starting = ports.map((port, index) => {
      const place = ['--cluster', `nats://127.0.0.1:${port}`, '--routes', routes, '-m', String(monitors[index])];
      return NatsServer.start({ args: ['-n', nameOf(index), '--cluster_name', 'trial', ...place] });
    });
    const cluster = new Cluster(await Promise.all(starting), monitors);
    await cluster.#isComplete();
    return cluster;
  }

  /** The server that leads a stream; undefined: just now there is none, or it does not say so. */
  async leaderOf(stream: string): Promise<NatsServer | undefined> {
    const told = await this.#ask('accounts=true&streams=true');
    const details = told.flatMap((one) => one?.account_details ?? []).flatMap((account) => account.stream_detail ?? []);
    const leader = details.find(({ name, cluster }) => name === stream && cluster?.leader !== undefined)?.cluster
      ?.leader;
    return this.servers.find((_, index) => nameOf(index) === leader);
  }

  /**
   * Resolves once each stream and consumer has a leader that all others have caught up with: what three servers promise is to outlive
   * the loss of one, and one that has not caught up is lost already. False: that took too long.
   */
  async hasCaughtUp(): Promise<boolean> {
    const latest = performance.now() + CATCHING_UP_MS;
    while (performance.now() < latest) {
      const told = await this.#ask('accounts=true&streams=true&consumers=true');
      if (told.every((one, index) => one !== undefined && isWhole(one, nameOf(index)))) return true;
      await new Promise((resume) => setTimeout(resume, LOOK_AGAIN_MS));
    }
    return false;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  async #isComplete(): Promise<void> {
    const latest = performance.now() + ELECTION_MS;
    const { length } = this.servers;
    const knows = (told: Told | undefined): boolean =>
      (told?.meta_cluster?.leader ?? '') !== '' && told?.meta_cluster?.cluster_size === length;
    while (!(await this.#ask('')).every(knows)) {
      if (performance.now() > latest) throw new Error(`the servers have no leader after ${ELECTION_MS} ms`);
      await new Promise((resume) => setTimeout(resume, LOOK_AGAIN_MS));
    }
  }

  /** Undefined: no answer, for it was killed. */
  #ask(query: string): Promise<(Told | undefined)[]> {
    const asked = this.#monitors.map(async (port) => {
      const answer = await fetch(`http://127.0.0.1:${port}/jsz?${query}`).catch(() => undefined);
      return (await answer?.json()) as Told | undefined;
    });
    return Promise.all(asked);
  }
}

/** @param name of the server that tells */
function isWhole({ account_details: accounts }: Told, name: string): boolean {
  const streams = (accounts ?? []).flatMap(({ stream_detail: details }) => details ?? []);
  const groups = streams.flatMap(({ cluster, consumer_detail: consumers }) => [
    cluster,
    ...(consumers ?? []).map((consumer) => consumer.cluster),
  ]);
  const led = groups.filter((group) => group?.leader === name);
  const replicas = led.flatMap((group) => group?.replicas ?? []);
  const hasLeaders = groups.every((group) => (group?.leader ?? '') !== '');
  return hasLeaders && replicas.every(({ current, offline }) => current === true && offline !== true);
}

function nameOf(index: number): string {
  return `n${index}`;
}
