import { type Plot, plotSvg } from "./svg.js";

/** One network at one batch, as measured. */
export interface ScalingPoint {
  readonly resolution: number;
  readonly channels: number;
  readonly batch: number;
  readonly nodes: number;
  /** Of the direct sums. */
  readonly flops: number;
  /** Wall time of an evaluation, the best of several. */
  readonly ms: number;
  /** What the time would be if only this counted: starting the nodes, moving their bytes, making their operations. */
  readonly floors: { readonly dispatch: number; readonly copy: number; readonly arithmetic: number };
}

/** ms = scale * GFLOP^slope: least squares of the logarithms. */
export interface PowerLaw {
  readonly slope: number;
  readonly scale: number;
  /** Largest factor between a point and the law. */
  readonly worst: number;
}

/** Null where there are not two amounts of work to tell a slope from. */
export function fitPowerLaw(points: readonly Pick<ScalingPoint, "flops" | "ms">[]): PowerLaw | null {
  if (new Set(points.map((point) => point.flops)).size < 2) return null;
  const logs = points.map(({ flops, ms }) => [Math.log(flops / 1e9), Math.log(ms)] as const);
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  const slope = mean(logs.map(([x, y]) => (x - mx) * (y - my))) / mean(logs.map(([x]) => (x - mx) ** 2));
  const offset = my - slope * mx;
  const worst = Math.max(...logs.map(([x, y]) => Math.exp(Math.abs(y - offset - slope * x))));
  return { slope, scale: Math.exp(offset), worst };
}

/** A share of the time from which on starting the nodes is said to decide it. */
const DISPATCH_BOUND = 0.2;
/** Factor off the line that is called a bend. */
const BEND = 1.4;

export function isDispatchBound({ floors, ms }: ScalingPoint): boolean {
  return floors.dispatch > DISPATCH_BOUND * ms;
}

export interface Bend {
  readonly point: ScalingPoint;
  /** Time over that of the line. */
  readonly factor: number;
  readonly why: string;
}

/** Points off the line, the worst first, each with what its floors say about the cause. */
export function bendsOf(points: readonly ScalingPoint[], law: PowerLaw): Bend[] {
  const shares = points.map(({ floors, ms }) => floors.arithmetic / ms).sort((a, b) => a - b);
  const usual = shares[shares.length >> 1] ?? 0;
  return points
    .map((point) => ({ point, factor: point.ms / (law.scale * (point.flops / 1e9) ** law.slope) }))
    .filter(({ factor }) => factor > BEND || factor < 1 / BEND)
    .map(({ point, factor }) => ({ point, factor, why: reason(point, usual) }))
    .sort((a, b) => Math.abs(Math.log(b.factor)) - Math.abs(Math.log(a.factor)));
}

function reason(point: ScalingPoint, usual: number): string {
  const { floors, ms, nodes } = point;
  const percent = (share: number) => `${Math.round(100 * share)}%`;
  if (isDispatchBound(point)) return `starting ${nodes} nodes is ${percent(floors.dispatch / ms)} of the time`;
  if (floors.copy > 0.4 * ms) return `moving bytes is ${percent(floors.copy / ms)} of the time at the copy peak`;
  const rate = floors.arithmetic / ms;
  return `its kernels' operations run at ${percent(rate)} of the peak, the median network's at ${percent(usual)}`;
}

export const pointName = ({ resolution, channels, batch }: ScalingPoint) => `${channels} ch @${resolution} b${batch}`;

const COLORS = ["#0969da", "#1a7f37", "#bc4c00", "#8250df", "#cf222e", "#57606a"];

export interface ScalingResults {
  readonly version: string;
  readonly date: string;
  readonly adapter: string;
  readonly precision: string;
  readonly peaks: { readonly gflopsPerSecond: number; readonly gbPerSecond: number };
  /** A node of no work in a long chain, in microseconds. */
  readonly dispatchUs: number;
  readonly points: readonly ScalingPoint[];
  /** Of all points, and of those that are not bound by dispatches. */
  readonly law: PowerLaw;
  readonly lawAbove: PowerLaw | null;
  readonly bends: readonly Bend[];
}

export function scalingSvg(results: ScalingResults): string {
  const { points, law, peaks, bends, adapter, version, date, precision, dispatchUs } = results;
  const channels = [...new Set(points.map((point) => point.channels))].sort((a, b) => a - b);
  const gflops = points.map((point) => point.flops / 1e9);
  const x = { label: "GFLOP of one evaluation", min: 0.6 * Math.min(...gflops), max: 1.7 * Math.max(...gflops) };
  const times = points.map((point) => point.ms);
  const atPeak = (gflop: number) => (1000 * gflop) / peaks.gflopsPerSecond;
  const y = { label: "ms", min: 0.5 * Math.min(...times, atPeak(x.min)), max: 2 * Math.max(...times) };
  const line = (time: (gflop: number) => number) => [[x.min, time(x.min)] as const, [x.max, time(x.max)] as const];
  const nodes = points.map((point) => point.nodes).sort((a, b) => a - b)[points.length >> 1]!;
  const floor = (nodes * dispatchUs) / 1000;
  const named = new Set(bends.slice(0, 6).map(({ point }) => pointName(point)));
  const plot: Plot = {
    title: "Time of an evaluation against its operations",
    caption: [
      `${adapter}, ncvsd-gpu ${version}, ${precision}, ${date.slice(0, 10)}. EDM2 networks of two levels and random weights, resolutions 16 to 64, batches 1 to 32; best wall times.`,
      `Solid: the power law of all points. Dashed: the operations of the direct sums at the multiply-add peak of the same run (Winograd makes fewer), and nodes of no work, ${dispatchUs.toFixed(0)} µs each.`,
    ],
    x,
    y,
    series: channels.map((count, i) => ({ name: `${count} channels`, color: COLORS[i % COLORS.length]! })),
    lines: [
      {
        points: line((gflop) => law.scale * gflop ** law.slope),
        label: `slope ${law.slope.toFixed(2)}`,
      },
      { points: line(() => floor), label: `starting ${nodes} nodes`, dashed: true },
      { points: line(atPeak), label: `${peaks.gflopsPerSecond.toFixed(0)} GFLOP/s`, below: true, dashed: true },
    ],
    points: points.map((point) => ({
      x: point.flops / 1e9,
      y: point.ms,
      series: `${point.channels} channels`,
      ...(named.has(pointName(point)) ? { label: pointName(point) } : {}),
    })),
  };
  return plotSvg(plot);
}
