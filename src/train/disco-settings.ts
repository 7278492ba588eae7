import { MOST_TILED_DIMS } from "../../kernels/energy/posterior-tiles/kernel.js";
import { bad, checkKeys } from "../errors.js";
import { completeConfig, type DiscoConfig } from "../networks/energy/config.js";
import { type DiscoInput, discoTensorsOf } from "../networks/energy/model.js";
import { flatRows, type PointRows } from "../networks/energy/rows.js";
import { newDisco } from "./disco-initial.js";

/** The learning rate of every step: constant, or risen to `peak` in `warmup` steps and fallen along half a cosine to `final` at `steps`. */
export type DiscoRate =
  | number
  | { readonly peak: number; readonly final?: number; readonly warmup?: number; readonly steps: number };

/** Powers of sigma, and of the distance below it. */
const WEIGHTS = {
  "1": [0, 0],
  "1/sigma": [-1, 0],
  "1/sigma^2": [-2, 0],
  "1/distance": [0, 1],
  "1/distance^2": [0, 2],
} as const;

export interface DiscoTrainingOptions {
  /** Points, row after row or as a list of rows: `dims` values of about unit scale. Absent: every step is given its `x`, `target` and `weight`. */
  readonly data?: PointRows;
  /** Coordinates of a point. Default: those of `network`. */
  readonly dims?: number;
  /** Hidden units. Default: 128 up to 2 coordinates, 256 up to 10, 512 beyond; or those of `network`. */
  readonly width?: number;
  /** Blocks of the network, default 4. */
  readonly blocks?: number;
  /** The output is the gradient of an energy (default), or the network's own. */
  readonly energy?: boolean;
  /** The diffusion counterpart: a network with the noise level as a label, which learns -eps. Default false. */
  readonly diffusion?: boolean;
  /** sigma(0), the smoothing of the data; default 0.1. */
  readonly sigmaMin?: number;
  /** Largest noise level; default 2 up to 10 coordinates, 5 beyond. */
  readonly sigmaMax?: number;
  /** Noise levels from the largest to the smallest, geometrically spaced; default 100. */
  readonly levels?: number;
  /**
   * The support of the posterior: all data ("exact"), so many drawn for each step with replacement ("subset:4096"), or the data behind
   * the points of the step ("minibatch"). Default: up to 4,096 data, or 3 coordinates, "exact"; else "minibatch".
   */
  readonly posterior?: "exact" | "minibatch" | `subset:${number}`;
  /** What is learnt: the posterior's mean (default), or a draw. Both have the same expected gradient where weights are not by distance. */
  readonly target?: "mean" | "draw";
  /**
   * Weight of a row: 1; by its noise level, 1/sigma, 1/sigma^2; by its distance to the data, the target's length, 1/distance and
   * 1/distance^2 (of sqrt(sigmaMin^2 + distance^2), in units of sigmaMin). Default: 1/distance up to 3 coordinates, else 1; of draws and
   * minibatches, whose own distance is random, 1.
   */
  readonly weight?: keyof typeof WEIGHTS;
  /**
   * Share of the batch that is uniform in the box of the data instead of noisy data; default 1 up to 2 coordinates, 0.75 with 3, else 0; and
   * 0 for minibatches, which lack the data behind such a point, and for weights by noise level, which it has none of.
   */
  readonly uniform?: number;
  /** Rows of a step; default 64 up to 2 coordinates, else 1024 (`discoSchedule`). */
  readonly batch?: number;
  /** Default 1e-4. */
  readonly lr?: DiscoRate;
  /** Of Adam; default [0.9, 0.999], with "minibatch" [0.9, 0.95]. */
  readonly betas?: readonly [number, number];
  /** Rate of the average of the parameters, which starts at the first ones; default 0.999. */
  readonly emaRate?: number;
  /** From 0 to 4294967295; default 0. */
  readonly seed?: number;
  /** Parameters to start from: a weight file or tensors by name. Default: new ones. */
  readonly network?: DiscoInput;
  /** What the data were, for the weight file. */
  readonly describe?: Pick<DiscoConfig, "mean" | "std" | "columns">;
  /** Goes on from the state that `save` left in this folder. */
  readonly resume?: string;
}

const KNOWN: { readonly [K in keyof Required<DiscoTrainingOptions>]: true } = {
  data: true,
  dims: true,
  width: true,
  blocks: true,
  energy: true,
  diffusion: true,
  sigmaMin: true,
  sigmaMax: true,
  levels: true,
  posterior: true,
  target: true,
  weight: true,
  uniform: true,
  batch: true,
  lr: true,
  betas: true,
  emaRate: true,
  seed: true,
  network: true,
  describe: true,
  resume: true,
};

/** Options with their defaults, checked. */
export interface DiscoSettings {
  readonly config: DiscoConfig;
  readonly points: number;
  /** Data of the support; 0: those of the minibatch. */
  readonly support: number;
  readonly posterior: string;
  /** All data are the support, sorted into tiles of which most are left out. */
  readonly tiles: boolean;
  readonly draw: boolean;
  /** Of sigma, in a row's weight. */
  readonly power: 0 | -1 | -2;
  /** Less 1 / this power of the distance. */
  readonly distance: 0 | 1 | 2;
  /** Rows that are uniform in the box. */
  readonly inside: number;
  readonly batch: number;
  readonly lr: DiscoRate;
  readonly betas: readonly [number, number];
  readonly emaRate: number;
  readonly seed: number;
}

/** Data of which the posterior costs less than the network does. */
const FEW = 4096;

/**
 * How long, with how many points a step, and how fast a table of so many columns is trained where nobody says: up to two columns some
 * minutes on two processor cores. There a network is told the exact posterior at points that lie evenly, so that a step's gradient has
 * little noise, and many small steps fit better than few large ones; beyond, the paper's steps.
 */
export const discoSchedule = (dims: number) =>
  dims <= 2 ? { steps: 16_000, batch: 64, lr: 3e-3 } : { steps: 100_000, batch: 1024, lr: 1e-3 };

/** What `openDisco` was given, and the parameters to start from. */
export async function discoSettings(options: DiscoTrainingOptions): Promise<{
  readonly settings: DiscoSettings;
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly data: Float32Array | undefined;
}> {
  checkKeys("openDisco", options, KNOWN);
  const { network, seed = 0, lr = 1e-4, emaRate = 0.999 } = options;
  const data = options.data === undefined ? undefined : flatRows("openDisco", "data", options.data);
  whole("seed", seed, 0, 2 ** 32 - 1);
  const given = networkArguments(options);
  const started = network === undefined ? undefined : await discoTensorsOf("openDisco", network, given);
  const fail = (what: string) => bad(`openDisco: ${what}.`);
  const dims = started?.config.dim ?? options.dims;
  if (dims === undefined) throw fail("dims, the coordinates of a point, must be given with data");
  if (options.dims !== undefined && options.dims !== dims)
    throw fail(`dims is ${options.dims}, but the network has ${dims} coordinates`);
  const { batch = discoSchedule(dims).batch } = options;
  whole("batch", batch, 1, 2 ** 20);
  const points = data === undefined ? 0 : rowsOf(data, dims);
  const box = data ? boxOf(data, dims, started?.config.sigma_min ?? options.sigmaMin ?? 0.1) : {};
  const width = options.width ?? (dims <= 2 ? 128 : dims <= 10 ? 256 : 512);
  const described = { ...options.describe, ...box };
  const config = completeConfig({ ...(started?.config ?? { dim: dims, width, ...given }), ...described }, fail);
  const posterior = options.posterior ?? (points <= FEW || dims <= 3 ? "exact" : "minibatch");
  const betas = options.betas ?? [0.9, posterior === "minibatch" && !options.diffusion ? 0.95 : 0.999];
  if (!(Array.isArray(betas) && betas.length === 2 && betas.every((beta) => beta >= 0 && beta < 1)))
    throw fail(`betas must be two numbers from 0 to less than 1, got ${JSON.stringify(betas)}`);
  if (!(typeof emaRate === "number" && emaRate >= 0 && emaRate < 1))
    throw fail(`emaRate must be a number from 0 to less than 1, got ${emaRate}`);
  const { weight: asked, target = "mean" } = options;
  const even = dims <= 3 && !config.conditional && posterior !== "minibatch";
  const weight = asked ?? (even && target === "mean" ? "1/distance" : "1");
  if (!Object.hasOwn(WEIGHTS, weight)) throw fail(`weight must be ${Object.keys(WEIGHTS).join(", ")}, got ${weight}`);
  const [power, distance] = WEIGHTS[weight];
  const uniform = options.uniform ?? (!even || power !== 0 ? 0 : dims <= 2 ? 1 : 0.75);
  if (!(uniform >= 0 && uniform <= 1)) throw fail(`uniform must be a share from 0 to 1, got ${uniform}`);
  if (config.conditional && uniform > 0)
    throw fail("uniform points have no noise level: the diffusion counterpart cannot learn there");
  if (distance > 0 && config.conditional)
    throw fail("weights by distance are of targets at sigma(0): the diffusion counterpart has none");
  if (target !== "mean" && target !== "draw") throw fail(`target must be mean or draw, got ${target}`);
  if (distance > 0 && target === "draw")
    throw fail(
      "weights by distance are of the posterior's mean: by their own distance near draws would count more than others",
    );
  checkRate(lr);
  return {
    data,
    tensors: started?.tensors ?? newDisco(config, seed),
    settings: {
      ...{ config, points, posterior, batch, lr, emaRate, seed },
      support: supportOf(posterior, points),
      tiles: posterior === "exact" && target === "mean" && points > FEW / 4 && dims <= MOST_TILED_DIMS,
      draw: target === "draw",
      ...{ power, distance },
      inside: Math.round(uniform * batch),
      betas: betas as readonly [number, number],
    },
  };
}

/** The arguments of the network that the options say. */
function networkArguments(options: DiscoTrainingOptions): Partial<DiscoConfig> {
  const { energy, diffusion, blocks, sigmaMin, sigmaMax, levels, width } = options;
  const all = {
    ...{ energy, blocks, levels, conditional: diffusion, sigma_min: sigmaMin, sigma_max: sigmaMax },
    ...(options.network ? { width } : {}),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Rows of the data. */
function rowsOf(data: Float32Array, dims: number): number {
  if (data.length === 0 || data.length % dims !== 0)
    throw bad(`openDisco: data must have rows of ${dims} values, got ${data.length} values.`);
  return data.length / dims;
}

/** The data's range and 3 sigma to each side. */
function boxOf(data: Float32Array, dims: number, sigma: number) {
  const low = new Array<number>(dims).fill(Number.POSITIVE_INFINITY);
  const high = new Array<number>(dims).fill(Number.NEGATIVE_INFINITY);
  data.forEach((value, i) => {
    low[i % dims] = Math.min(low[i % dims]!, value);
    high[i % dims] = Math.max(high[i % dims]!, value);
  });
  return { box_low: low.map((v) => v - 3 * sigma), box_high: high.map((v) => v + 3 * sigma) };
}

function supportOf(posterior: string, points: number): number {
  if (posterior === "exact") return points;
  if (posterior === "minibatch") return 0;
  const size = Number(/^subset:(\d+)$/.exec(posterior)?.[1]);
  if (!(Number.isSafeInteger(size) && size >= 1 && size <= 2 ** 24))
    throw bad(`openDisco: posterior must be exact, minibatch or subset:N with a number of data, got ${posterior}.`);
  return size;
}

function checkRate(lr: DiscoRate): void {
  const { peak, final, warmup, steps } =
    typeof lr === "number" ? { peak: lr, final: 0, warmup: 0, steps: 1 } : { final: 0, warmup: 0, ...lr };
  if (![peak, final, warmup].every((value) => typeof value === "number" && value >= 0 && Number.isFinite(value)))
    throw bad(
      `openDisco: lr must be a rate of at least 0, or { peak, final, warmup, steps }, got ${JSON.stringify(lr)}.`,
    );
  whole("lr.steps", steps, 1, 2 ** 32 - 1);
}

function whole(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw bad(`openDisco: ${name} must be an integer from ${min} to ${max}, got ${value}.`);
}

/** The learning rate of a step, counted from 1. */
export function rateOf(lr: DiscoRate, step: number): number {
  if (typeof lr === "number") return lr;
  const { peak, final = 0, warmup = 0, steps } = lr;
  if (step <= warmup) return (peak * step) / warmup;
  const share = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  return final + ((peak - final) * (1 + Math.cos(Math.PI * share))) / 2;
}
