import type { Results } from "./results.js";
import { type Plot, type PlotPoint, plotSvg } from "./svg.js";

const F32 = "f32";
const F16 = "f16 storage";

/** The rows over the adapter's roofline: GFLOP/s against operations per byte that has to be moved. */
export function rooflineSvg(results: Results): string {
  const { adapter, date, peaks, layers, networks, version } = results;
  const points: PlotPoint[] = [];
  for (const { name, flops, runs } of [...layers, ...networks]) {
    for (const [precision, run] of Object.entries(runs)) {
      if (run.gflopsPerSecond === null) continue;
      const half = precision !== "f32";
      const point = { x: flops / run.bytes, y: run.gflopsPerSecond, series: half ? F16 : F32 };
      // One label a row: the pair is side by side.
      points.push(half && runs.f32 ? point : { ...point, label: name });
    }
  }
  const { gflopsPerSecond: top, gbPerSecond: slope } = peaks;
  const xs = [...points.map((point) => point.x), top / slope];
  const ys = [...points.map((point) => point.y), top];
  const x = { label: "operations per byte (FLOP/byte)", min: 0.5 * Math.min(...xs), max: 2.5 * Math.max(...xs) };
  const y = { label: "GFLOP/s", min: 0.5 * Math.min(...ys), max: 2 * Math.max(...ys) };
  const foot = Math.max(x.min, y.min / slope);
  const plot: Plot = {
    title: "Layers and networks on the roofline of the adapter",
    caption: [
      `${adapter.name}, ncvsd-gpu ${version}, ${date.slice(0, 10)}. Roofs and rows: best rounds of one run, in turns.`,
      "Operations are those of the direct sum, so that Winograd's can pass the multiply-add roof; bytes are inputs, weights and outputs, each once.",
    ],
    x,
    y,
    series: [
      { name: F32, color: "#0969da" },
      ...(points.some((point) => point.series === F16) ? [{ name: F16, color: "#bc4c00", hollow: true }] : []),
    ],
    lines: [
      {
        points: [[top / slope, top] as const, [x.max, top] as const],
        label: `multiply-adds, ${top.toFixed(0)} GFLOP/s`,
      },
      { points: [[foot, foot * slope] as const, [top / slope, top] as const], label: `copy, ${slope.toFixed(1)} GB/s` },
    ],
    points,
  };
  return plotSvg(plot);
}
