// What runs in the page: draws each plot with Chart.js, and over each bar a whisker from the least to the most, and the median.

/** Plain script for browsers; it finds its data in the page, and asks no network. */
export const PAGE_SCRIPT = `
const charts = JSON.parse(document.getElementById('charts').textContent);
const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
const ink = isDark ? '#d8d8d8' : '#333333';
// Who is in many plots has the same colour in all of them.
const ownColours = { busbar: '#d9480f', piscina: '#1971c2', postMessage: '#2f9e44', 'bare ring': '#868e96' };
const otherColours = ['#9c36b5', '#e0a800', '#0c8599', '#c2255c'];
const colourOf = (name, others) => ownColours[name] ?? otherColours[others.indexOf(name) % otherColours.length];
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const short = (value) => compact.format(value).replace('K', 'k');
const isPowerOfTen = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;
const whiskers = {
  id: 'whiskers',
  afterDatasetsDraw(chart) {
    const { ctx, data, scales: { x } } = chart;
    ctx.save();
    ctx.strokeStyle = ink;
    ctx.fillStyle = ink;
    ctx.lineWidth = 1;
    ctx.font = '10px system-ui, sans-serif';
    ctx.textBaseline = 'middle';
    data.datasets.forEach((dataset, index) => {
      chart.getDatasetMeta(index).data.forEach((bar, line) => {
        const spread = dataset.spreads[line];
        if (spread === null) return;
        const [least, most] = [spread.least, spread.most].map((value) => x.getPixelForValue(value));
        ctx.beginPath();
        ctx.moveTo(least, bar.y);
        ctx.lineTo(most, bar.y);
        for (const end of [least, most]) {
          ctx.moveTo(end, bar.y - 3);
          ctx.lineTo(end, bar.y + 3);
        }
        ctx.stroke();
        ctx.fillText(short(spread.median), most + 6, bar.y);
      });
    });
    ctx.restore();
  },
};
Chart.defaults.color = ink;
Chart.defaults.borderColor = isDark ? '#444444' : '#dddddd';
Chart.defaults.animation = false;
const scaleOf = ({ isLogarithmic, unit, better, series }) => {
  const spreads = series.flatMap((one) => one.spreads).filter((spread) => spread !== null);
  const most = Math.max(...spreads.map((spread) => spread.most));
  const least = Math.min(...spreads.map((spread) => spread.least).filter((value) => value > 0));
  // A bar that began at its own value would not be seen.
  return isLogarithmic
    ? { type: 'logarithmic', min: least / 2, max: most, ...axisOf(unit + ', ' + better + ' is better, logarithmic', isPowerOfTen) }
    : { type: 'linear', suggestedMax: most, ...axisOf(unit + ', ' + better + ' is better', () => true) };
};
const axisOf = (text, isShown) => ({
  title: { display: true, text },
  ticks: { callback: (value) => (isShown(value) ? short(value) : null), autoSkip: false, maxTicksLimit: 10, maxRotation: 0 },
});
charts.forEach((chart, index) => {
  const others = chart.series.map(({ name }) => name).filter((name) => !(name in ownColours));
  new Chart(document.getElementById('chart-' + index), {
    type: 'bar',
    plugins: [whiskers],
    data: {
      labels: chart.lines,
      datasets: chart.series.map(({ name, spreads }) => ({
        label: name,
        spreads,
        data: spreads.map((spread) => spread && spread.median),
        backgroundColor: colourOf(name, others),
      })),
    },
    options: {
      indexAxis: 'y',
      maintainAspectRatio: false,
      // Room for the medians behind the longest whiskers.
      layout: { padding: { right: 44 } },
      scales: { x: scaleOf(chart) },
      plugins: {
        legend: { position: 'top', align: 'start' },
        tooltip: {
          callbacks: {
            label: ({ dataset, dataIndex }) => {
              const { least, median, most } = dataset.spreads[dataIndex];
              return dataset.label + ': ' + [median, least, most].map(short).join(', ');
            },
          },
        },
      },
    },
  });
});
`;
