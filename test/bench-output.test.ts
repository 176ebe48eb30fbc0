// The benchmark counts, compares and writes down what it measured, rows in processes of their own.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { faultsSoFar, receiveNumbered } from '../bench/load/receive.js';
import { jsonOf, type Results } from '../bench/output/json.js';
import { pageOf } from '../bench/output/page.js';
import { textOf } from '../bench/output/table.js';
import { measureApart, type Outcome } from '../bench/run/apart.js';
import { budgetsOf } from '../bench/run/budget.js';
import { measureRow } from '../bench/run/rounds.js';
import type { Contender, Row } from '../bench/run/row.js';
import { FILES } from './fixtures/bench-rows.js';

const RUN = { sliceMs: 1, warmUpMs: 0, isQuick: true };

/** Gives these figures, after a warm-up. */
function contender(figures: readonly number[], close: Contender['close'] = async () => undefined) {
  return async (): Promise<Contender> => {
    let next = -1;
    return { measure: async () => (next++ < 0 ? 1e9 : (figures[next - 1] as number)), close };
  };
}

function rowOf(more: Partial<Row> = {}): Row {
  return {
    name: 'a row',
    payload: '64 B',
    inflight: 8,
    unit: 'msg/s',
    better: 'higher',
    contenders: { busbar: contender([300, 100, 200]), peer: contender([100, 50, 40]) },
    ...more,
  };
}

async function resultsOf(row: Row): Promise<Results> {
  const measured = await measureRow(row, RUN, 3);
  const machine = { cpu: 'a </script><img src=x> cpu', cores: 2, memoryGb: 4, node: 'v20', system: 'Linux' };
  return { machine, rounds: 3, measured, budgets: measured.flatMap(budgetsOf) };
}

describe('a row of the benchmark', () => {
  it('gives medians without the warm-up, and compares round by round', async () => {
    const [measured] = await measureRow(rowOf(), RUN, 3);
    expect(measured?.spreads.get('busbar')).toEqual({ median: 200, least: 100, most: 300 });
    expect(measured?.times.get('peer')).toEqual({ median: 3, least: 2, most: 5 });
    expect(textOf(measured as NonNullable<typeof measured>)).toContain('busbar is 3.00 times as good');
  });

  it('opens all contenders before it warms them up', async () => {
    const order: string[] = [];
    const noting = (name: string) => async (): Promise<Contender> => {
      order.push(`open ${name}`);
      return { measure: async () => order.push(name), close: async () => void order.push(`close ${name}`) };
    };
    await measureRow(rowOf({ contenders: { busbar: noting('busbar'), peer: noting('peer') } }), RUN, 2);
    const [warmUp, rounds] = [
      ['busbar', 'peer'],
      ['busbar', 'peer', 'peer', 'busbar'],
    ];
    expect(order).toEqual(['open busbar', 'open peer', ...warmUp, ...rounds, 'close busbar', 'close peer']);
  });

  it('turns the comparison round where less is better', async () => {
    const [measured] = await measureRow(rowOf({ better: 'lower' }), RUN, 3);
    expect(measured?.times.get('peer')?.median).toBeCloseTo(1 / 3);
  });

  it('keeps or misses its budgets', async () => {
    const goals: Row['goals'] = [
      { timesAsGoodAs: 'peer', atLeast: 3 },
      { timesAsGoodAs: 'peer', atLeast: 3.1 },
      { name: 'at most', atMost: 199 },
      { name: 'beyond, round by round', beyond: 'peer', atMost: 160 },
      { timesAsGoodAs: 'nobody', atLeast: 0 },
    ];
    const { budgets } = await resultsOf(rowOf({ goals }));
    expect(budgets.map(({ measured, ok }) => [measured, ok])).toEqual([
      [3, true],
      [3, false],
      [200, false],
      [160, true],
      [Number.NaN, false],
    ]);
  });

  it('fails when a contender lost a message, after it has closed them all', async () => {
    let isClosed = false;
    const contenders = {
      busbar: contender([1, 1, 1], () => Promise.reject(new Error('the accounts do not agree'))),
      peer: contender([1, 1, 1], async () => {
        isClosed = true;
      }),
    };
    await expect(measureRow(rowOf({ contenders }), RUN, 3)).rejects.toThrow('the accounts do not agree');
    expect(isClosed).toBe(true);
  });

  it('counts messages that were lost, doubled or out of order', () => {
    const payload = new Uint8Array(64);
    const faultsAfter = (numbers: readonly number[]): number => {
      const before = faultsSoFar();
      for (const number of numbers) {
        new DataView(payload.buffer).setInt32(0, number);
        receiveNumbered(payload);
      }
      return faultsSoFar() - before;
    };
    expect(faultsAfter([0, 1, 2])).toBe(0);
    expect(faultsAfter([4, 5])).toBe(1);
    expect(faultsAfter([5, 6])).toBe(1);
    expect(faultsAfter([8, 7, 9])).toBe(3);
  });
});

describe('the process of a row', () => {
  const BENCH = fileURLToPath(new URL('../bench/bench.js', import.meta.url));
  const module = new URL('./fixtures/bench-rows.js', import.meta.url).href;
  const ARGUMENTS = [BENCH, '--rows', module];

  /** What a run tells of these rows of the fixture. */
  function run(...more: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      execFile(process.execPath, [...ARGUMENTS, ...more], (error, stdout, stderr) =>
        resolve({ code: error?.code, stdout, stderr }),
      );
    });
  }

  it('may fail or die: that is told with the reason, and the others give their figures', async () => {
    const { code, stdout, stderr } = await run('--quick');
    expect(code).toBe(1);
    expect(stdout.match(/^works.*\n {2}busbar /gm)).toHaveLength(3);
    expect(stdout).toContain('ok     works as well, against peer  1.00 times (asked: 1.00)');
    const failed = stderr.split('FAILED: ').map((text) => text.trim().split('\n').slice(0, 2));
    expect(failed).toEqual([
      [''],
      ['fails', expect.stringContaining('Error: message 7 was refused')],
      ['exits', ' its process ended with exit code 7, without figures'],
      ['is killed', ' its process ended by SIGKILL, without figures'],
    ]);
  });

  it('is its own', async () => {
    const { code, stdout } = await run('--only', 'works');
    expect(code).toBeUndefined();
    // Each counted its measurements from one on.
    expect(stdout.match(/^works.*\n {2}busbar +1\.00 msg\/s/gm)).toHaveLength(3);
  });

  it('is ended when it takes too long', async () => {
    const rows = FILES.flat().filter(({ name }) => name === 'hangs' || name === 'works');
    const told: unknown[] = [];
    const tell = (row: Row, outcome: Outcome): void => {
      told.push(row.name, 'failure' in outcome ? outcome.failure : outcome[0]?.spreads.get('busbar')?.median);
    };
    await measureApart(rows.reverse(), { module, run: RUN, rounds: 1 }, tell, 1000);
    expect(told).toEqual(['hangs', 'it took more than 1 s', 'works', 1]);
  });

  it('ends with the benchmark', async () => {
    const bench = spawn(process.execPath, [...ARGUMENTS, '--only', 'says that it hangs']);
    await new Promise<void>((resume) => {
      bench.stdout.on('data', (text) => {
        if (String(text).includes('hanging')) resume();
      });
    });
    bench.kill('SIGINT');
    // Both write to the same pipe: it is closed when both have ended.
    expect(await once(bench, 'close')).toEqual([null, 'SIGINT']);
  });
});

describe('what is written', () => {
  it('is JSON of the agreed form', async () => {
    const results = await resultsOf(rowOf({ goals: [{ timesAsGoodAs: 'peer', atLeast: 2 }] }));
    expect(JSON.parse(jsonOf(results))).toEqual({
      machine: results.machine,
      rounds: 3,
      rows: [{ name: 'a row', payload: '64 B', inflight: 8, busbar: 200, peers: { peer: 50 }, unit: 'msg/s' }],
      budgets: [{ name: 'a row, 64 B, 8 in flight, against peer', measured: 3, budget: 2, unit: 'times', ok: true }],
    });
  });

  it('is a page that shows every value as text and asks no network', async () => {
    const hostile = '"\'><script>alert(1)</script><img src=//evil.example>';
    const row = rowOf({ name: hostile, payload: hostile, unit: hostile, goals: [{ name: hostile, atMost: 1 }] });
    const page = pageOf(await resultsOf(row));
    expect(page).not.toMatch(/<img/);
    expect(page).not.toContain('<script>alert');
    expect(page).toContain('&lt;script&gt;alert(1)');
    expect(page).toContain(`content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'"`);
    // The page's own: the data, the library, the script that draws.
    expect(page.match(/<script/g)).toHaveLength(3);
    expect(page.match(/<\/script/g)).toHaveLength(3);
    const data = /<script type="application\/json" id="charts">(.*?)<\/script>/s.exec(page)?.[1] as string;
    expect(JSON.parse(data)).toMatchObject([{ title: hostile, series: [{ name: 'busbar' }, { name: 'peer' }] }]);
  });
});
