import { elementBytes, type Precision } from "../src/gpu/contract.js";
import { type Gpu, openGpu } from "../src/gpu/device.js";
import { profile } from "../src/graph/profile.js";
import { copyPeak, fmaPeak } from "../src/measure/peaks.js";
import { LAYERS, type Layer, type LayerSpec } from "./layers.js";
import { type Evaluation, evaluationOf, NETWORKS, type Network, type NetworkSpec } from "./networks.js";
import type { LayerResult, LayerRun, NetworkResult, NetworkRun, Results, Spread } from "./results.js";
import { type Contender, type Times, takeTurns } from "./turns.js";

export interface MeasureOptions {
  readonly adapter?: string;
  readonly rounds: number;
  readonly layers?: readonly LayerSpec[];
  readonly networks?: readonly NetworkSpec[];
}

/**
 * All rows in f32, and in f16 where the adapter has it, and the adapter's peaks, in turns.
 * @throws Error on an adapter without timestamp queries, whose clock is the only one that can tell kernels apart
 */
export async function measureRows(given: MeasureOptions) {
  const { adapter, rounds, layers = LAYERS, networks = NETWORKS } = given;
  const options = adapter === undefined ? {} : { adapter };
  const gpus = new Map<Precision, Gpu>([["f32", await openGpu(options)]]);
  const gpu = gpus.get("f32")!;
  try {
    if (!gpu.features.includes("timestamp-query")) throw new Error(`${gpu.info.name} has no timestamp queries`);
    if (gpu.features.includes("shader-f16")) gpus.set("f16", await openGpu({ ...options, precision: "f16" }));
    const [fma, copy] = [await fmaPeak(gpu), await copyPeak(gpu)];
    const rows = new Rows(rounds);
    for (const [precision, device] of gpus) {
      for (const { prepare } of layers) rows.addLayer(precision, await prepare(device));
      for (const { name, start } of networks) rows.addNetwork(name, precision, await start(device));
    }
    const peaks = [fma, copy].map((peak, i) => ({
      name: `peak ${i}`,
      measure: () => peak.measure().then(() => 0),
    }));
    const times = await takeTurns([...peaks, ...rows.contenders], rounds);
    const best = { gflopsPerSecond: fma.best, gbPerSecond: copy.best };
    const { name, driver, software } = gpu.info;
    const facts: Pick<Results, "adapter" | "tuned" | "peaks"> = {
      adapter: { name, driver, software },
      tuned: gpu.caps.tuning?.size ?? 0,
      peaks: best,
    };
    return { ...facts, ...rows.results(times, best.gflopsPerSecond) };
  } finally {
    for (const device of gpus.values()) device.close();
  }
}

const spreadOf = (values: readonly number[]): Spread => {
  const sorted = [...values].sort((a, b) => a - b);
  const median = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
  return { median, min: sorted[0]!, max: sorted.at(-1)! };
};

interface Measured<T> {
  readonly name: string;
  readonly precision: Precision;
  readonly what: T;
}

/** What is to be measured, and what came of it. */
class Rows {
  readonly contenders: Contender[] = [];
  readonly #layers: Measured<Layer>[] = [];
  readonly #networks: (Measured<Network> & { readonly evaluations: Evaluation[] })[] = [];
  readonly #rounds: number;

  constructor(rounds: number) {
    this.#rounds = rounds;
  }

  addLayer(precision: Precision, what: Layer): void {
    const { name, ok, program } = what;
    this.#layers.push({ name, precision, what });
    if (!ok) return;
    const measure = async () => (await profile(program)).reduce((sum, node) => sum + node.ms, 0);
    this.contenders.push({ name: `${name} ${precision}`, measure });
  }

  addNetwork(name: string, precision: Precision, what: Network): void {
    const evaluations: Evaluation[] = [];
    this.#networks.push({ name, precision, what, evaluations });
    const evaluate = evaluationOf(what);
    const measure = async () => {
      const evaluation = await evaluate();
      evaluations.push(evaluation);
      return evaluation.gpuMs;
    };
    this.contenders.push({ name: `${name} ${precision}`, measure });
  }

  results(times: ReadonlyMap<string, Times>, peak: number) {
    const layers = new Map<string, LayerResult & { runs: Record<string, LayerRun> }>();
    for (const { name, precision, what } of this.#layers) {
      const { nodes, flops, bytes, error } = what;
      const ms = times.get(`${name} ${precision}`) ?? null;
      const gflopsPerSecond = ms && flops / ms.min / 1e6;
      const row = layers.get(name) ?? { name, flops, runs: {} };
      row.runs[precision] = {
        nodes,
        bytes,
        error,
        ms,
        gflopsPerSecond,
        gbPerSecond: ms && bytes / ms.min / 1e6,
        shareOfPeak: gflopsPerSecond && gflopsPerSecond / peak,
      };
      layers.set(name, row);
    }
    const networks = new Map<string, NetworkResult & { runs: Record<string, NetworkRun> }>();
    for (const { name, precision, what, evaluations } of this.#networks) {
      // The first is the round that goes before.
      const counted = evaluations.slice(-this.#rounds);
      const row = networks.get(name) ?? { name, batch: what.batch, flops: what.flops, runs: {} };
      row.runs[precision] = networkRun(what, counted, precision, peak);
      networks.set(name, row);
    }
    return { layers: [...layers.values()], networks: [...networks.values()] };
  }
}

function networkRun(network: Network, evaluations: Evaluation[], precision: Precision, peak: number): NetworkRun {
  const { batch, flops, error, program, parameters, elements } = network;
  const spread = (key: keyof Evaluation) => spreadOf(evaluations.map((evaluation) => evaluation[key]));
  const wallMs = spread("wallMs");
  const gflopsPerSecond = flops / wallMs.min / 1e6;
  return {
    wallMs,
    gpuMs: spread("gpuMs"),
    hostMs: spread("hostMs"),
    kernelSumMs: spread("kernelSumMs"),
    wallOverSum: spreadOf(evaluations.map((evaluation) => evaluation.wallMs / evaluation.kernelSumMs)).median,
    allocations: evaluations.reduce((sum, { allocations }) => sum + allocations, 0),
    msPerImage: wallMs.median / batch,
    gflopsPerSecond,
    shareOfPeak: gflopsPerSecond / peak,
    error,
    nodes: program.graph.nodes.length,
    bytes: elementBytes("weight", precision) * parameters + 4 * elements,
  };
}
