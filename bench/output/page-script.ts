// What runs in the page: draws each plot with Chart.js, and a whisker from the least to the most over each bar.

/** Plain script for browsers; it finds its data in the page, and asks no network. */
export const PAGE_SCRIPT = `
const charts = JSON.parse(document.getElementById('charts').textContent);
const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
const ink = isDark ? '#d8d8d8' : '#333333';
const colours = ['#d9480f', '#1971c2', '#2f9e44', '#9c36b5', '#e0a800', '#0c8599', '#868e96'];
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });
const whiskers = {
  id: 'whiskers',
  afterDatasetsDraw(chart) {
    const { ctx, data, scales: { x } } = chart;
    ctx.save();
    ctx.strokeStyle = ink;
    ctx.lineWidth = 1;
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
      });
    });
    ctx.restore();
  },
};
Chart.defaults.color = ink;
Chart.defaults.borderColor = isDark ? '#444444' : '#dddddd';
Chart.defaults.animation = false;
charts.forEach((chart, index) => {
  new Chart(document.getElementById('chart-' + index), {
    type: 'bar',
    plugins: [whiskers],
    data: {
      labels: chart.lines,
      datasets: chart.series.map(({ name, spreads }, place) => ({
        label: name,
        spreads,
        data: spreads.map((spread) => spread && spread.median),
        backgroundColor: colours[place % colours.length],
      })),
    },
    options: {
      indexAxis: 'y',
      maintainAspectRatio: false,
      scales: {
        x: {
          type: chart.isLogarithmic ? 'logarithmic' : 'linear',
          suggestedMax: Math.max(...chart.series.flatMap(({ spreads }) => spreads.map((spread) => spread?.most ?? 0))),
          title: { display: true, text: chart.unit + ', ' + chart.better + ' is better' },
          ticks: { callback: (value) => short.format(value), maxTicksLimit: 10 },
        },
      },
      plugins: {
        legend: { position: 'top', align: 'start' },
        tooltip: {
          callbacks: {
            label: ({ dataset, dataIndex }) => {
              const { least, median, most } = dataset.spreads[dataIndex];
              return dataset.label + ': ' + [median, least, most].map((value) => short.format(value)).join(', ');
            },
          },
        },
      },
    },
  });
});
`;
