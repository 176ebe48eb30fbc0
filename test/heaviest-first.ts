// The order in which jest runs the suites: those that take longest first, or one of them would run alone at the end.
interface Suite {
  readonly path: string;
}

/** By the CPU time that they take, the most first. All others take less. */
const HEAVIEST = [
  'lifecycle',
  'testing',
  'cli-stopped',
  'faults',
  'contract',
  'package',
  'jetstream-chaos',
  'jetstream-vanish',
  'crash',
  'letter-faults',
  'chaos',
  'order',
  'readme',
  'named-breakers',
  'queue',
  'replay',
  'error-log',
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
