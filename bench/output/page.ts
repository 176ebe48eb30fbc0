// The results as one HTML page with plots, complete in itself: it asks no network, and shows every value as text.
import { readFileSync } from 'node:fs';
import type { Budget } from '../run/budget.js';
import { type Measured, titleOf } from '../run/rounds.js';
import { type Chart, chartsOf } from './charts.js';
import { figure } from './figure.js';
import type { Results } from './json.js';
import { PAGE_SCRIPT } from './page-script.js';

const STYLE = `
body { font: 15px/1.45 system-ui, sans-serif; max-width: 1080px; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
h1 { margin-bottom: 0; } h2 { margin: 2.5rem 0 0.5rem; } .machine { color: #666; margin-top: 0.2rem; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 0.25rem 0.6rem; border-bottom: 1px solid #ddd; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.missed td:first-child { color: #c92a2a; font-weight: 600; } tr.ok td:first-child { color: #2b8a3e; }
tr.busbar td { font-weight: 600; } details { margin-top: 0.5rem; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818; } th, td { border-color: #444; } .machine { color: #999; } }
`;
/** Height of a plot, in pixels: its axis and legend, and each bar. */
const CHART_PIXELS = 110;
const BAR_PIXELS = 15;
const LINE_GAP_PIXELS = 14;

export function pageOf(results: Results): string {
  const { machine, rounds, measured, budgets } = results;
  const charts = chartsOf(measured);
  const { cpu, cores, memoryGb, node, system } = machine;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>busbar: benchmark</title>
<style>${STYLE}</style>
</head>
<body>
<h1>busbar: benchmark</h1>
<p class="machine">${text(`${cpu}, ${cores} cores, ${memoryGb} GB; Node ${node}; ${system}`)}</p>
<p>Medians of ${text(String(rounds))} rounds in which the contenders took turns; whiskers reach from the least to the most.
busbar ran with accounting, breaker and error handling on, and its accounts were checked after every row.</p>
${budgets.length === 0 ? '' : budgetTable(budgets)}
${charts.map((chart, index) => section(chart, index, measured)).join('\n')}
<script type="application/json" id="charts">${dataOf(charts)}</script>
<script>${chartLibrary()}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function budgetTable(budgets: readonly Budget[]): string {
  const rows = budgets.map(
    ({ name, measured, budget, unit, ok }) =>
      `<tr class="${ok ? 'ok' : 'missed'}"><td>${ok ? 'ok' : 'missed'}</td><td>${text(name)}</td>` +
      `<td class="number">${text(figure(measured))}</td><td class="number">${text(figure(budget))}</td><td>${text(unit)}</td></tr>`,
  );
  return `<h2>What is asked of it</h2>
<table><tr><th></th><th></th><th class="number">measured</th><th class="number">asked</th><th></th></tr>
${rows.join('\n')}
</table>`;
}

function section(chart: Chart, index: number, measured: readonly Measured[]): string {
  const bars = chart.lines.length * chart.series.length;
  const height = CHART_PIXELS + bars * BAR_PIXELS + chart.lines.length * LINE_GAP_PIXELS;
  const rows = measured.filter(({ row }) => row.name === chart.title).flatMap(tableRows);
  return `<h2>${text(chart.title)}</h2>
<div style="height: ${height}px"><canvas id="chart-${index}"></canvas></div>
<details><summary>the figures</summary>
<table><tr><th></th><th></th><th class="number">median</th><th class="number">least</th><th class="number">most</th><th></th><th class="number">busbar is so many times as good</th></tr>
${rows.join('\n')}
</table></details>`;
}

function tableRows({ row, part, spreads, times }: Measured): string[] {
  return [...spreads].map(([name, spread], index) => {
    const numbers = [spread.median, spread.least, spread.most].map(
      (value) => `<td class="number">${text(figure(value))}</td>`,
    );
    const ratio = times.get(name);
    const title = index === 0 ? text(titleOf(row, part)) : '';
    return `<tr${name === 'busbar' ? ' class="busbar"' : ''}><td>${title}</td><td>${text(name)}</td>${numbers.join('')}<td>${text(row.unit)}</td><td class="number">${ratio === undefined ? '' : text(figure(ratio.median))}</td></tr>`;
  });
}

/** The library's own file, for it goes into the page as it is. */
function chartLibrary(): string {
  const entry = new URL(import.meta.resolve('chart.js'));
  return readFileSync(new URL('chart.umd.min.js', entry), 'utf8').replaceAll('</script', '<\\/script');
}

/** JSON in which nothing can end the script element that holds it. */
function dataOf(value: unknown): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c');
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function text(value: string): string {
  return value.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
