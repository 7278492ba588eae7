import { counted } from "../../errors.js";
import type { NodeTime } from "../../graph/profile.js";
import type { KernelTimes } from "../../measure/kernels.js";
import type { NetworkTimes, Spread } from "../../measure/network.js";
import type { Timeline } from "../../measure/peaks.js";
import { PAGE, table } from "../../runs/table.js";

/** What the adapter reached in this run, with simple kernels. */
export interface Peaks {
  /** f32 multiply-adds. */
  readonly gflopsPerSecond: number;
  /** Copy, bytes read plus bytes written. */
  readonly gbPerSecond: number;
}

/** What all reports begin with. */
export interface Header {
  readonly adapter: string;
  readonly precision: string;
  /** Times are the GPU's own; else the clock's. */
  readonly timestamps: boolean;
  readonly peaks: Peaks;
}

const NODES_SHOWN = 30;

/** Giga per second. Null where the clock saw no time pass. */
const rate = (amount: number, ms: number) => (ms > 0 ? amount / ms / 1e6 : null);

type Work = Pick<NodeTime, "ms" | "flops" | "bytes">;

/** Rates, and how near they are to the roofline: the least time at the measured peaks over the time it took. */
function rated({ ms, flops, bytes }: Work, peaks: Peaks) {
  const least = Math.max(flops / peaks.gflopsPerSecond, bytes / peaks.gbPerSecond) / 1e6;
  return {
    gflopsPerSecond: rate(flops, ms),
    gbPerSecond: rate(bytes, ms),
    roofline: ms > 0 ? least / ms : null,
  };
}

const total = (nodes: readonly Work[]) => nodes.reduce((sum, { ms }) => sum + ms, 0);

/** The nodes with their rates and shares, the most expensive first. */
export function profileRows(nodes: readonly NodeTime[], peaks: Peaks) {
  const all = total(nodes);
  return nodes
    .map((node) => ({ ...node, share: all > 0 ? node.ms / all : 0, ...rated(node, peaks) }))
    .sort((a, b) => b.ms - a.ms);
}

/** The same summed up by kernel. */
export function kernelRows(nodes: readonly NodeTime[], peaks: Peaks) {
  const all = total(nodes);
  const rows = [...new Set(nodes.map((node) => node.kernel))].map((kernel) => {
    const group = nodes.filter((node) => node.kernel === kernel);
    const sum = (key: keyof Work) => group.reduce((s, node) => s + node[key], 0);
    const work = { ms: sum("ms"), flops: sum("flops"), bytes: sum("bytes") };
    return { kernel, nodes: group.length, ...work, share: all > 0 ? work.ms / all : 0, ...rated(work, peaks) };
  });
  return rows.sort((a, b) => b.ms - a.ms);
}

/** At most one decimal unless told otherwise, and none where the figure is long. */
export const number = (value: number | null, digits = value !== null && value >= 100 ? 0 : 1) =>
  value === null ? "-" : value.toFixed(digits);

export function headerLines({ adapter, precision, timestamps, peaks }: Header): string[] {
  const note = "no timestamp queries: times and peaks include the wait for the GPU";
  return [
    `adapter      ${adapter}, ${precision}`,
    ...(timestamps ? [] : [`note         ${note}`]),
    `peaks        ${peaks.gflopsPerSecond.toFixed(1)} GFLOP/s (f32 multiply-adds), ${peaks.gbPerSecond.toFixed(1)} GB/s (copy)`,
  ];
}

export function networkLines(times: NetworkTimes, peaks: Peaks, startup: Record<string, number>): string[] {
  const { wallMs, gpuMs, kernelSumMs, wallOverSum } = times;
  const spread = ({ median, min }: Spread) => `${median.toFixed(2)} ms median, ${min.toFixed(2)} ms minimum`;
  const share = (times.gflopsPerSecond / peaks.gflopsPerSecond).toFixed(2);
  const seconds = Object.values(startup).reduce((a, b) => a + b, 0);
  return [
    `network      ${times.net}`,
    `evaluation   batch ${times.batch}, ${counted(times.nodes.length, "node")}, ${counted(times.runs, "run")}`,
    `  wall       ${spread(wallMs)}`,
    ...(gpuMs ? [`  GPU        ${spread(gpuMs)}`] : []),
    `  per image  ${times.msPerImage.toFixed(3)} ms`,
    `  rate       ${times.gflopsPerSecond.toFixed(1)} GFLOP/s as direct sums (${times.gflop.toFixed(3)} GFLOP), ${share} of the peak`,
    `  host       ${times.hostMs.toFixed(2)} ms until an evaluation is submitted`,
    ...(kernelSumMs
      ? [
          `  kernels    ${kernelSumMs.toFixed(2)} ms in sum, each in a pass of its own; wall / sum ${wallOverSum!.toFixed(2)}`,
        ]
      : []),
    `  allocated  ${times.allocations} GPU buffers after the first evaluation`,
    `first image  ${seconds.toFixed(2)} s`,
    ...Object.entries(startup).map(([part, time]) => `  ${part.padEnd(18)} ${time.toFixed(2)} s`),
  ];
}

const FIGURES = ["share", "ms", "GF/s", "GB/s", "roof"];

type Rated = ReturnType<typeof kernelRows | typeof profileRows>[number];

const figures = ({ share, ms, gflopsPerSecond, gbPerSecond, roofline }: Rated) => [
  `${number(100 * share, 1)}%`,
  number(ms, 3),
  number(gflopsPerSecond),
  number(gbPerSecond),
  number(roofline, 2),
];

/** The most expensive nodes and a summary by kernel, in 80 columns. */
export function profileLines(nodes: readonly NodeTime[], peaks: Peaks): string[] {
  const rows = profileRows(nodes, peaks);
  const shown = rows.slice(0, NODES_SHOWN).map((row) => [...figures(row), row.node, `${row.kernel} ${row.variant}`]);
  const rest = rows.slice(NODES_SHOWN);
  const kernels = kernelRows(nodes, peaks).map((row) => [...figures(row), String(row.nodes), row.kernel]);
  return [
    "",
    ...table([...FIGURES, "node", "kernel, variant"], shown, { ...PAGE, cut: ["node", "kernel, variant"] }),
    ...(rest.length > 0
      ? [`and ${counted(rest.length, "node")} more: ${total(rest).toFixed(3)} ms (all with --json)`]
      : []),
    "",
    ...table([...FIGURES, "nodes", "kernel"], kernels, PAGE),
    "GF/s: operations the kernel really makes. roof: time at the peaks / time taken.",
  ];
}

export function kernelLines(rows: readonly KernelTimes[]): string[] {
  const cells = rows.map(({ kernel, case: name, ms, flops, bytes, error, ok }) => [
    kernel,
    name,
    number(ms, 3),
    number(rate(flops, ms ?? 0)),
    number(rate(bytes, ms ?? 0)),
    ok ? error.toExponential(1) : "WRONG",
  ]);
  const titles = ["kernel", "case", "ms", "GF/s", "GB/s", "error"];
  return ["", ...table(titles, cells, { ...PAGE, cut: ["kernel", "case"] })];
}

/**
 * An evaluation for Chrome's trace viewer: what the GPU and what the host did, with the gaps between. The clocks of the two
 * have no common zero: the first node is drawn where the submission begins, the earliest that it can have started.
 */
export function chromeTrace({ nodes, host }: Timeline, header: Header, about: object): string {
  const event = { ph: "X", pid: 1 };
  const submission = host.find(({ part }) => part === "submit")?.startMs ?? 0;
  const gpuEvents = nodes.map(({ node, kernel, variant, startMs, ms, flops, bytes }) => ({
    ...event,
    name: node,
    cat: kernel,
    tid: 1,
    ts: 1000 * (submission + startMs),
    dur: 1000 * ms,
    args: { kernel, variant, flops, bytes, ...rated({ ms, flops, bytes }, header.peaks) },
  }));
  const hostEvents = host.map(({ part, startMs, ms }) => ({
    ...event,
    name: part,
    cat: "host",
    tid: 2,
    ts: 1000 * startMs,
    dur: 1000 * ms,
  }));
  const lane = (name: string, tid: number) => ({ name: "thread_name", ph: "M", pid: 1, tid, args: { name } });
  const names = [
    { name: "process_name", ph: "M", pid: 1, tid: 1, args: { name: header.adapter } },
    lane(header.timestamps ? "GPU, each node in a pass of its own" : "nodes one by one, by the host's clock", 1),
    ...(host.length > 0 ? [lane("host", 2)] : []),
  ];
  return JSON.stringify({
    tool: "ncvsd-gpu",
    traceEvents: [...names, ...gpuEvents, ...hostEvents],
    displayTimeUnit: "ms",
    otherData: { ...header, ...about },
  });
}
