"use strict";
// Charts of what the tables beside them say. Without script there are the tables alone.
(() => {
  const tokens = getComputedStyle(document.documentElement);
  const token = (name) => tokens.getPropertyValue(name).trim();
  const size = () => Math.round(parseFloat(getComputedStyle(document.body).fontSize) * 0.8);
  const lines = document.documentElement.lang === "en" ? 5.4 : 4; // of a label: English words are longer
  const bars = [token("--blue"), "#8fa9d8"];
  const series = (chart) => [
    ...chart.bars.map((bar, place) => ({
      type: "bar", name: bar.name, data: bar.values, barMaxWidth: 16,
      stack: chart.kind === "counts" ? "all" : undefined,
      itemStyle: { color: bar.over ? token("--red") : bars[place] },
    })),
    ...chart.marks.map((mark) => ({
      type: "scatter", name: mark.name, z: 3, silent: true,
      data: mark.values.flatMap((value, place) => (value === null ? [] : [[value, place]])),
      symbol: mark.limit ? "rect" : "diamond", symbolSize: mark.limit ? [3, size() * 2.4] : size() * 0.8,
      itemStyle: { color: mark.limit ? token("--red") : token("--ink-soft") },
    })),
  ];
  const option = (chart) => ({
    animation: false,
    textStyle: { fontFamily: tokens.fontFamily || "sans-serif", fontSize: size() },
    legend: { top: 0, textStyle: { fontSize: size(), color: token("--ink") } },
    grid: { left: 24, right: 28, top: size() * 4, bottom: 28, containLabel: true },
    xAxis: {
      type: "value", name: chart.unit, nameLocation: "middle", nameGap: 26, minInterval: 1,
      nameTextStyle: { color: token("--ink-soft"), fontSize: size() }, axisLabel: { color: token("--ink-soft"), fontSize: size() },
      splitLine: { lineStyle: { color: token("--line") } },
    },
    yAxis: {
      type: "category", inverse: true, data: chart.names, axisTick: { show: false },
      axisLabel: { color: token("--ink"), fontSize: size(), width: size() * 9, lineHeight: size() * 1.2, overflow: "break" },
    },
    series: series(chart),
  });
  for (const place of document.querySelectorAll("[data-chart]")) {
    const chart = JSON.parse(document.getElementById(`chart-${place.dataset.chart}`).textContent);
    place.hidden = false;
    place.style.height = `${size() * (9 + lines * chart.names.length)}px`;
    const drawn = echarts.init(place, null, { renderer: "svg" });
    drawn.setOption(option(chart));
    new ResizeObserver(() => drawn.resize()).observe(place);
  }
})();
