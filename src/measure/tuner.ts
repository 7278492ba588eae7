import { NcvsdError } from "../errors.js";
import type { AnyKernel, DeviceRates } from "../gpu/contract.js";
import type { Gpu } from "../gpu/device.js";
import type { Graph, Node } from "../graph/graph.js";
import type { NodeTime } from "../graph/profile.js";
import type { Program } from "../graph/program.js";
import { relativeError } from "../graph/run-kernel.js";
import { convChoices, convKey } from "../layers/conv-algorithm.js";
import { type Layer, LayerBench, layerGraph, layersOf, layerWork } from "./layer.js";
import { type Contender, race } from "./race.js";

export interface TuneOptions {
  /** Images per evaluation while measuring; the choices hold for every batch. */
  readonly batch: number;
  /** No measurement begins after this many seconds. */
  readonly seconds: number;
  /** Times of a program's nodes, in the order of execution. */
  readonly nodeTimes: (program: Program) => Promise<readonly NodeTime[]>;
  /** Milliseconds of a clock. */
  readonly now?: () => number;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A choice that is out of the question here. */
export interface Rejection {
  readonly choice: string;
  readonly reason: string;
  /** It computes wrongly; else it does not compile, or there is not enough memory for it. */
  readonly wrong: boolean;
}

/** What was found about one name of `Caps.tuning`. */
export interface TuneRow {
  readonly key: string;
  /** Nodes or layers of the network that have this name. */
  readonly uses: number;
  readonly own: string;
  /** Milliseconds of all uses together; null: not measured, or wrong. */
  readonly ownMs: number | null;
  readonly choice: string;
  readonly ms: number | null;
  readonly rejected: readonly Rejection[];
  /** False: the time was up. The choice is then the cost model's own. */
  readonly measured: boolean;
}

/** A name with the places where its choice matters. */
export interface Subject {
  readonly key: string;
  readonly choices: readonly string[];
  readonly layers: readonly Layer[];
  readonly uses: number;
  /** Multiply-adds of all uses: the order of tuning. */
  readonly work: number;
  /** What else has to be chosen so that the name occurs: the layers' algorithms. */
  readonly context: ReadonlyMap<string, string>;
  /** Whether the node's time counts. */
  counts(node: Node): boolean;
}

/** Largest relative error of a layer against float64; `f16`: weights or activations are stored in it. */
const TOLERANCE = { f32: 1e-5, f16: 5e-3 } as const;
/** Part of the time for the loops of kernels; the layers' algorithms have the rest. */
const KERNELS_SHARE = 0.7;
/** A candidate that takes this many times as long as the cost model's choice in its first run is left out. */
const MUCH_SLOWER = 2;

/**
 * Chooses by measurement what the cost models of kernels (`Kernel.tuneKey`) and of convolution layers (`convKey`) choose
 * otherwise. Every candidate runs in the network's own layers with random weights and inputs; before it is timed, its result
 * is compared with float64 on some outputs and on all of them with the cost model's choice. Then they are timed in turns.
 */
export async function tuneNetwork(gpu: Gpu, network: Graph, options: TuneOptions): Promise<TuneRow[]> {
  const { seconds, now = () => performance.now() } = options;
  const started = now();
  const until = (share: number) => () => now() - started > 1000 * seconds * share;
  const { kernels, algorithms } = subjectsOf(gpu, network, options.batch);
  const total = kernels.length + algorithms.length;
  const chosen = new Map<string, string>();
  const rows: TuneRow[] = [];
  for (const [subjects, share] of [
    [kernels, KERNELS_SHARE],
    [algorithms, 1],
  ] as const) {
    for (const subject of subjects) {
      options.onProgress?.(rows.length, total);
      const row = await tune(gpu, subject, chosen, until(share), options);
      if (row.choice !== row.own) chosen.set(row.key, row.choice);
      rows.push(row);
    }
  }
  options.onProgress?.(total, total);
  return rows;
}

/** Everything in a network of which there is more than one way to do it, the most work first. */
export function subjectsOf(gpu: Pick<Gpu, "caps">, network: Graph, batch: number) {
  const layers = layersOf(network);
  return { kernels: kernelSubjects(gpu, layers, batch), algorithms: layerSubjects(layers, gpu.caps.rates) };
}

/** One subject for every name that a kernel gives to its shape, in the layers where it is used. */
function kernelSubjects({ caps }: Pick<Gpu, "caps">, layers: readonly Layer[], batch: number): Subject[] {
  interface Found {
    kernel: AnyKernel;
    params: object;
    /** Layers whose own algorithm has it, or failing that another algorithm of theirs. */
    places: { layer: Layer; algorithm: string; own: boolean; nodes: readonly Node[] }[];
  }
  const found = new Map<string, Found>();
  for (const layer of layers) {
    for (const [i, algorithm] of convChoices(layer.shape, caps.rates).entries()) {
      const key = convKey(layer.shape);
      const { graph } = layerGraph(layer, batch, new Map([[key, algorithm]]), caps.rates);
      for (const [name, nodes] of tuneKeys(graph)) {
        const { kernel, params } = nodes[0]!;
        const place = { layer, algorithm, own: i === 0, nodes };
        found.set(name, { kernel, params, places: [...(found.get(name)?.places ?? []), place] });
      }
    }
  }
  const subjects = [...found].map(([key, { kernel, params, places: all }]): Subject => {
    const own = all.filter((place) => place.own);
    const firstOf = new Map(all.map(({ layer }) => [layer, all.find((place) => place.layer === layer)!]));
    const places = own.length > 0 ? own : [...firstOf.values()];
    // Where the nodes are the same, for instance before another epilogue, one layer stands for all.
    const same = new Map<string, Layer>();
    for (const { layer, nodes } of places) {
      const params = JSON.stringify(nodes.map((node) => node.params));
      same.set(params, { ...(same.get(params) ?? layer), count: (same.get(params)?.count ?? 0) + layer.count });
    }
    return {
      key,
      choices: kernel.choices!(params as never, caps),
      layers: [...same.values()],
      uses: places.reduce((sum, { layer, nodes }) => sum + nodes.length * layer.count, 0),
      work: own.reduce((sum, { layer }) => sum + layerWork(layer.shape) * layer.count, 0),
      context: new Map(places.map(({ layer, algorithm }) => [convKey(layer.shape), algorithm])),
      counts: (node) => node.kernel.tuneKey?.(node.params as never) === key,
    };
  });
  return subjects.filter(({ choices }) => choices.length > 1).sort((a, b) => b.work - a.work);
}

/** Nodes by the names that their kernels give them. */
function tuneKeys(graph: Graph): Map<string, Node[]> {
  const keys = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    const { tuneKey, choices } = node.kernel;
    if (!tuneKey || !choices) continue;
    const key = tuneKey(node.params as never);
    keys.set(key, [...(keys.get(key) ?? []), node]);
  }
  return keys;
}

/** One subject for every shape of a layer. */
function layerSubjects(layers: readonly Layer[], rates: DeviceRates | undefined): Subject[] {
  const keys = new Set(layers.map(({ shape }) => convKey(shape)));
  const subjects = [...keys].map((key): Subject => {
    const group = layers.filter(({ shape }) => convKey(shape) === key);
    const { shape } = group[0]!;
    const uses = group.reduce((sum, { count }) => sum + count, 0);
    return {
      key,
      choices: convChoices(shape, rates),
      layers: group,
      uses,
      work: uses * layerWork(shape),
      context: new Map(),
      counts: () => true,
    };
  });
  return subjects.filter(({ choices }) => choices.length > 1).sort((a, b) => b.work - a.work);
}

/** A candidate that is ready in all its layers, and right. */
interface Candidate extends Contender {
  /** Of each layer. */
  readonly outputs: readonly Float32Array[];
  /** The time of one run. */
  readonly ms: number;
  destroy(): void;
}

async function tune(
  gpu: Gpu,
  subject: Subject,
  chosen: ReadonlyMap<string, string>,
  expired: () => boolean,
  { batch, nodeTimes }: TuneOptions,
): Promise<TuneRow> {
  const { key, choices, uses } = subject;
  const own = choices[0]!;
  const rejected: Rejection[] = [];
  const row = (choice: string, ownMs: number | null, ms: number | null, measured: boolean): TuneRow => {
    return { key, uses, own, ownMs, choice, ms, rejected, measured };
  };
  const unknown = () => row(own, null, null, false);
  if (expired()) return unknown();
  const benches = subject.layers.map((layer) => new LayerBench(gpu, layer, batch));
  const candidates: Candidate[] = [];
  let first: Candidate | undefined;
  try {
    for (const choice of choices) {
      if (expired()) return unknown();
      const tuning = new Map([...chosen, ...subject.context, [key, choice]]);
      try {
        const candidate = await prepare(gpu, subject, benches, choice, tuning, nodeTimes, first);
        candidates.push(candidate);
        if (choice === own) first = candidate;
      } catch (error) {
        if (error instanceof Hopeless) continue;
        rejected.push({ choice, ...reasonOf(error) });
        // Without a measurement of it there is nothing to compare with; a wrong one has to be replaced.
        if (choice === own && !rejected[0]!.wrong) return unknown();
      }
    }
    const result = candidates.length > 0 ? await race(candidates, expired) : undefined;
    if (!result) return unknown();
    const timeOf = (choice: string) => result.times.find((timed) => timed.choice === choice)?.ms ?? null;
    return row(result.winner, timeOf(own), timeOf(result.winner), true);
  } finally {
    for (const candidate of candidates) candidate.destroy();
    for (const bench of benches) bench.destroy();
  }
}

/** A result that is not to be trusted. */
class Wrong extends Error {}
/** So slow that no more is worth knowing. */
class Hopeless extends Error {}

function reasonOf(error: unknown): { reason: string; wrong: boolean } {
  if (error instanceof Wrong) return { reason: error.message, wrong: true };
  // Without a device, or with a mistake of ours, there is nothing to go on with.
  if (!(error instanceof NcvsdError) || error.code === "DEVICE_LOST") throw error;
  return { reason: error.message, wrong: false };
}

/**
 * Makes a choice ready in every layer of the subject, checks what it computes, and times it once.
 * @param own the cost model's choice, where it is right
 */
async function prepare(
  gpu: Gpu,
  subject: Subject,
  benches: readonly LayerBench[],
  choice: string,
  tuning: ReadonlyMap<string, string>,
  nodeTimes: TuneOptions["nodeTimes"],
  own: Candidate | undefined,
): Promise<Candidate> {
  const programs: { program: Program; weight: number }[] = [];
  const destroy = () => {
    for (const { program } of programs) program.destroy();
  };
  const timeOf = async ({ program, weight }: (typeof programs)[number]) => {
    const times = await nodeTimes(program);
    const counted = program.graph.nodes.map((node, i) => (subject.counts(node) ? times[i]!.ms : 0));
    return weight * counted.reduce((a, b) => a + b, 0);
  };
  const time = async () => {
    let sum = 0;
    for (const program of programs) sum += await timeOf(program);
    return sum;
  };
  try {
    const outputs: Float32Array[] = [];
    let ms = 0;
    for (const [i, bench] of benches.entries()) {
      const { program, output } = await bench.prepare(tuning);
      programs.push({ program, weight: bench.layer.count });
      await program.run();
      const out = await output();
      check(gpu, bench, out, own?.outputs[i]);
      // Only those of the cost model's choice are compared with later.
      if (!own) outputs.push(out);
      ms += await timeOf(programs.at(-1)!);
      if (own && ms > MUCH_SLOWER * own.ms) throw new Hopeless();
    }
    gpu.check();
    return { choice, outputs, ms, time, destroy };
  } catch (error) {
    destroy();
    throw error;
  }
}

/** @throws Wrong when a result differs from float64 or from that of the cost model's choice */
function check(gpu: Gpu, bench: LayerBench, out: Float32Array, ownOut: Float32Array | undefined): void {
  const tolerance = gpu.precision === "f32" ? TOLERANCE.f32 : TOLERANCE.f16;
  const where = convKey(bench.layer.shape);
  if (out.some((value) => !Number.isFinite(value))) throw new Wrong(`values that are not finite in ${where}`);
  const error = bench.sampledError(out);
  if (error > tolerance) throw new Wrong(`off by ${error.toExponential(1)} in ${where}`);
  const difference = ownOut ? relativeError(out, ownOut) : 0;
  if (difference > 2 * tolerance) {
    throw new Wrong(`${difference.toExponential(1)} from the cost model's choice in ${where}`);
  }
}
