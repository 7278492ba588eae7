import { costOf, type Kernel } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import { type NodeTime, profile } from "../graph/profile.js";
import type { Program } from "../graph/program.js";
import { type KernelRun, prepareKernel } from "../graph/run-kernel.js";

export const hasTimestamps = (gpu: Gpu) => gpu.device.features.has("timestamp-query");

/** What the host did during one evaluation, in milliseconds after it began to record. */
export interface HostPart {
  readonly part: string;
  readonly startMs: number;
  readonly ms: number;
}

/** One evaluation with every node in a pass of its own. */
export interface Timeline {
  readonly nodes: readonly NodeTime[];
  /** Empty without timestamp queries: then nothing but the nodes' own clock is known. */
  readonly host: readonly HostPart[];
}

/** Begin and time of every node: by timestamps, or without them by the clock, one node at a time, waiting included. */
export async function timeline(program: Program): Promise<Timeline> {
  const { gpu } = program;
  const host: HostPart[] = [];
  if (hasTimestamps(gpu)) {
    let first: number | undefined;
    const nodes = await profile(program, (part, begin, end) => {
      first ??= begin;
      host.push({ part, startMs: begin - first, ms: end - begin });
    });
    return { nodes, host };
  }
  const nodes: NodeTime[] = [];
  await gpu.idle();
  const first = performance.now();
  let start = first;
  await program.trace(async ({ name, kernel, params }) => {
    await gpu.idle();
    const ms = performance.now() - start;
    const variant = kernel.variant(params as never, gpu.caps).key;
    const cost = costOf(kernel, params as never, gpu.precision);
    nodes.push({ node: name, kernel: kernel.name, variant, startMs: start - first, ms, ...cost });
    start = performance.now();
    return true;
  });
  return { nodes, host };
}

/** The nodes of a timeline. */
export const nodeTimes = async (program: Program) => (await timeline(program)).nodes;

/** What an adapter can do at best, measured again whenever a benchmark has a turn. */
export interface Peak {
  /** GFLOP/s or GB/s; the largest measured. */
  best: number;
  measure(): Promise<void>;
}

interface PeakParams {
  readonly groups: number;
  readonly turns: number;
  readonly chains: number;
}

const SIZE = 64;
const UNROLLED = 4;

/** Independent chains of multiply-adds in registers; how many are best differs between adapters. */
function fmaKernel(chains: number): Kernel<PeakParams> {
  const each = (text: (i: number) => string) => Array.from({ length: chains }, (_, i) => text(i)).join(" ");
  const text = `
struct Params { turns: u32, factor: f32, term: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  ${each((i) => `var a${i} = f32(id.x) + ${i}.0;`)}
  for (var turn = 0u; turn < p.turns; turn++) {
    ${Array.from({ length: UNROLLED }, () => each((i) => `a${i} = fma(a${i}, p.factor, p.term);`)).join("\n    ")}
  }
  y[id.x] = ${Array.from({ length: chains }, (_, i) => `a${i}`).join(" + ")};
}`;
  return peakKernel(`fma-peak-${chains}`, text, {
    buffers: (p) => [{ name: "y", access: "write", type: "f32", length: p.groups * SIZE }],
    uniforms: (p) => ({ turns: p.turns, factor: 0.999, term: 0.001 }),
    cost: (p) => ({ flops: 2 * p.groups * SIZE * p.turns * chains * UNROLLED, bytes: 0 }),
  });
}

const COPIED = 4;

/** Four vec4 per invocation from one buffer to another. */
function copyKernel(): Kernel<PeakParams> {
  const text = `
struct Params { total: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quarter = p.total / ${COPIED}u;
  ${Array.from({ length: COPIED }, (_, i) => `y[id.x + ${i}u * quarter] = x[id.x + ${i}u * quarter];`).join("\n  ")}
}`;
  const length = (p: PeakParams) => p.groups * SIZE * COPIED * 4;
  return peakKernel("copy-peak", text, {
    buffers: (p) => [
      { name: "x", access: "read", type: "f32", length: length(p) },
      { name: "y", access: "write", type: "f32", length: length(p) },
    ],
    uniforms: (p) => ({ total: p.groups * SIZE * COPIED }),
    cost: (p) => ({ flops: 0, bytes: 8 * length(p) }),
  });
}

function peakKernel(
  name: string,
  text: string,
  own: Pick<Kernel<PeakParams>, "buffers" | "uniforms"> & { cost(p: PeakParams): { flops: number; bytes: number } },
): Kernel<PeakParams> {
  return {
    name,
    source: [{ file: `src/measure/peaks.ts (${name})`, text }],
    check() {},
    variant: () => ({ key: "", prelude: "" }),
    grid: (p) => [p.groups, 1, 1],
    reference: () => ({}),
    cases: [],
    tolerance: { f32: 0, f16: 0 },
    ...own,
  };
}

async function peak(
  gpu: Gpu,
  kernels: Kernel<PeakParams>[],
  params: PeakParams,
  rate: "flops" | "bytes",
): Promise<Peak> {
  const runs: KernelRun[] = [];
  for (const kernel of kernels) runs.push(await prepareKernel(gpu, kernel, { name: "peak", params }));
  const result: Peak = {
    best: 0,
    async measure() {
      for (const { program } of runs) {
        const [node] = await nodeTimes(program);
        result.best = Math.max(result.best, node![rate] / node!.ms / 1e6);
      }
    },
  };
  await result.measure();
  return result;
}

/** GFLOP/s of f32 multiply-adds. */
export function fmaPeak(gpu: Gpu): Promise<Peak> {
  const params = { groups: gpu.caps.software ? 64 : 8192, turns: 500, chains: 0 };
  return peak(gpu, [8, 10, 12].map(fmaKernel), params, "flops");
}

/** GB/s, bytes read plus bytes written: of 128 MiB on a GPU, more than its caches hold. */
export function copyPeak(gpu: Gpu): Promise<Peak> {
  return peak(gpu, [copyKernel()], { groups: gpu.caps.software ? 2048 : 32768, turns: 0, chains: 0 }, "bytes");
}
