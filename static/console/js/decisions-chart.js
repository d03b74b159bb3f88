// Decisions over time, two scales on one axis of time. Colours come from the tokens, so they follow the theme.
const place = document.getElementById('decisions');
const data = JSON.parse(document.getElementById('decisions-data').textContent);
const probe = document.body.appendChild(document.createElement('i'));
probe.hidden = true;

function token(name) {
  probe.className = `tk-${name}`;
  return getComputedStyle(probe).color;
}

function draw(chart) {
  const type = { fontSize: 11, fontFamily: 'Inter Variable' };
  const quiet = { ...type, color: token('ink-3') };
  const area = (name, kind, grid) => ({
    name, type: 'line', stack: `${grid}`, step: 'middle', symbol: 'none', xAxisIndex: grid, yAxisIndex: grid, color: token(kind),
    lineStyle: { width: grid ? 0 : 1.5 }, areaStyle: { opacity: grid ? 1 : .4 }, data: data.series[kind],
  });
  const x = (gridIndex, show) => ({
    gridIndex, type: 'category', data: data.labels, boundaryGap: false, axisTick: { show: false },
    axisLine: { lineStyle: { color: token('line-2') } }, axisLabel: { ...quiet, show, interval: Math.max(0, Math.ceil(data.labels.length / 8) - 1) },
  });
  const y = (gridIndex, splitNumber) => ({
    gridIndex, splitNumber, minInterval: 1, axisLabel: quiet, splitLine: { lineStyle: { color: token('line') } },
  });
  chart.setOption({
    animation: false,
    tooltip: { trigger: 'axis', renderMode: 'richText', backgroundColor: token('raised'), borderColor: token('line-2'), textStyle: { ...type, color: token('ink') } },
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    grid: [{ left: 44, right: 16, top: 10, height: '42%' }, { left: 44, right: 16, bottom: 26, height: '34%' }],
    xAxis: [x(0, false), x(1, true)], yAxis: [y(0, 3), y(1, 2)],
    series: [area('Allowed', 'allow', 0), area('Masked', 'mask', 0), area('Held', 'hold', 1), area('Denied', 'deny', 1)],
  }, true);
}

const chart = echarts.init(place);
document.fonts.ready.then(() => draw(chart));
addEventListener('themechange', () => draw(chart));
addEventListener('resize', () => chart.resize());
