// The order in which jest runs the suites: those that take longest first, or one of them would run alone at the end.
interface Suite {
  readonly path: string;
}

/** By the CPU time that they take, the most first. All others take less. */
const HEAVIEST = [
  'testing',
  'lifecycle',
  'handshake-model',
  'package',
  'faults',
  'contract',
  'jetstream',
  'cli-stopped',
  'side-by-side',
  'jetstream-chaos',
  'jetstream-kept',
  'jetstream-parting',
  'letter-faults',
  'lane-thread',
  'jetstream-vanish',
  'named-breakers',
  'order',
  'teardown',
  'crash',
  'chaos',
  'storm',
  'large',
  'error-log',
  'categories',
  'dead-letters',
  'replay',
  'house',
];

/** Without memory: jest's own goes by the times of earlier runs, of which a fresh clone has none. */
export default class HeaviestFirst {
  sort(suites: readonly Suite[]): Suite[] {
    return suites.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.path < b.path ? -1 : 1));
  }

  cacheResults(): void {}
}

function rankOf({ path }: Suite): number {
  const rank = HEAVIEST.findIndex((name) => path.endsWith(`/test/${name}.test.js`));
  return rank < 0 ? HEAVIEST.length : rank;
}
