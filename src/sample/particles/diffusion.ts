import { bad, checkKeys, NcvsdError } from "../../errors.js";
import { NoiseSource } from "../../random/noise.js";
import { uniforms as uniformsFrom } from "../../random/uniforms.js";
import { type Diffusion, Network } from "./diffusion-network.js";
import { type Given, observedOf } from "./given.js";
import { requireRoom, seedOf } from "./settings.js";

/** How the observation enters: not at all, by replacing, by guidance, or by guidance with weights (twisted sequential Monte Carlo). */
export type DiffusionMethod = "unconditional" | "replacement" | "guidance" | "twisted";

/** Replaces the generator. Standard normal values are runs x particles x dims, one array per step. */
export interface DiffusionDraws {
  /** Where the particles start: sigma_0 times standard normal values. */
  readonly x0?: Float32Array;
  readonly noise?: readonly Float32Array[];
  /** Of the observed coordinates before each step (replacement). */
  readonly replace?: readonly Float32Array[];
  /** A uniform per step, or one per run (twisted; the last one is that of the last resampling). */
  readonly systematic?: readonly (number | ArrayLike<number>)[];
}

export interface DiffusionStep {
  /** From 1. */
  readonly step: number;
  /** After the step, all coordinates. */
  readonly x: Float64Array;
  /** twisted: after the step, per particle. */
  readonly logWeights?: Float64Array;
  readonly logTwist?: Float64Array;
}

export interface DiffusionOptions {
  readonly method: DiffusionMethod;
  /** Absent for `unconditional` only. */
  readonly given?: Given;
  /** Of one run. Default 1024. */
  readonly particles?: number;
  readonly runs?: number;
  /** Indices of the noise levels, ascending (0 is the largest level). Default: all. */
  readonly labels?: readonly number[];
  readonly seed?: number;
  readonly draws?: DiffusionDraws;
  readonly onStep?: (event: DiffusionStep) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

export interface DiffusionResult {
  /** runs x particles x unobserved coordinates, ascending. */
  readonly samples: Float32Array;
  /** All coordinates. */
  readonly points: Float32Array;
  /** Gradients of phi, and products with its Hessian, per particle. */
  readonly evaluations: number;
  readonly products: number;
}

/**
 * Conditional samples of a diffusion model by the heuristics that DISCO is compared with: ancestral sampling (Song et al. 2021)
 * with the observed coordinates replaced by noised observations before each step; guided by grad ln N(c; xhat_O(x), sigma^2)
 * (Ho et al. 2022); or guided and corrected by importance weights (Wu et al. 2023, twisted sequential Monte Carlo). The
 * arithmetic around the network is in float64 on the host.
 * @throws BAD_ARGUMENT, OUT_OF_MEMORY, NOT_FINITE
 */
export async function sampleDiffusion(model: Diffusion, options: DiffusionOptions): Promise<DiffusionResult> {
  const call = "sampleDiffusion";
  checkKeys(call, options, {
    method: true,
    given: true,
    particles: true,
    runs: true,
    labels: true,
    seed: true,
    draws: true,
    onStep: true,
    signal: true,
  });
  const { method } = options;
  if (!["unconditional", "replacement", "guidance", "twisted"].includes(method))
    throw bad(`${call}: method must be unconditional, replacement, guidance or twisted, got ${String(method)}.`);
  if (!model.conditional)
    throw bad(`${call}: the network takes no noise levels, so it is no diffusion model: use sampleSmc.`);
  if (!model.energy && (method === "guidance" || method === "twisted"))
    throw bad(`${call}: ${method} needs the derivative of the score, which is there for energy networks only.`);
  if ((options.given === undefined) !== (method === "unconditional"))
    throw bad(
      `${call}: ${method} ${options.given ? "takes no observation: leave given out" : "needs given, what is observed"}.`,
    );
  const sampler = await HostDiffusion.create(model, options);
  try {
    return method === "twisted" ? await sampler.twisted() : await sampler.ancestral();
  } finally {
    sampler.release();
  }
}

type MethodOptions = Omit<DiffusionOptions, "method" | "given"> & { readonly given: Given };

/** `sampleDiffusion` with the observed coordinates replaced by noised observations before each step. */
export function replacement(model: Diffusion, options: MethodOptions): Promise<DiffusionResult> {
  return sampleDiffusion(model, { ...options, method: "replacement" });
}

/** `sampleDiffusion` guided by the gradient of the observation's likelihood. Energy networks only. */
export function guidance(model: Diffusion, options: MethodOptions): Promise<DiffusionResult> {
  return sampleDiffusion(model, { ...options, method: "guidance" });
}

/** `sampleDiffusion` by twisted sequential Monte Carlo. Energy networks only. */
export function twisted(model: Diffusion, options: MethodOptions): Promise<DiffusionResult> {
  return sampleDiffusion(model, { ...options, method: "twisted" });
}

/** Score, and guidance where there is one, of all particles at a level. */
interface Field {
  readonly score: Float64Array;
  readonly guidance: Float64Array | undefined;
}

/** Numbers of a step from level i to the next: variances and their difference. */
interface Step {
  readonly drop: number;
  readonly deviation: number;
}

class HostDiffusion {
  readonly #model: Diffusion;
  readonly #options: DiffusionOptions;
  readonly #noise: NoiseSource;
  readonly #buffer: GPUBuffer;
  readonly #labels: readonly number[];
  readonly #sigmas: readonly number[];
  readonly #runs: number;
  readonly #particles: number;
  readonly #seed: number;
  readonly #free: readonly number[];
  readonly #seen: readonly number[];
  /** Per run, in the order of `seen`. */
  readonly #values: readonly (readonly number[])[];
  #open: Network | undefined;
  #evaluations = 0;
  #products = 0;

  private constructor(model: Diffusion, options: DiffusionOptions) {
    const call = "sampleDiffusion";
    const { dims, config } = model;
    const { runs, seen, free, values } = observedOf(call, dims, options);
    this.#particles = options.particles ?? 1024;
    // The network's points and the noise on the GPU; on the host points, two fields with guidance and a copy, in float64.
    requireRoom(call, model.gpu, { runs, particles: this.#particles }, { widest: dims, all: 16 * dims + 8 });
    const labels = options.labels ?? Array.from({ length: config.levels }, (_, i) => i);
    if (
      labels.length === 0 ||
      labels.some((v, i) => !(v >= 0 && v <= config.levels - 1 && (i === 0 || v > labels[i - 1]!)))
    )
      throw bad(`${call}: labels must ascend from 0 to at most ${config.levels - 1}, got ${labels.join(", ")}.`);
    const { sigma_max: high, sigma_min: low, levels } = config;
    this.#model = model;
    this.#options = options;
    this.#labels = labels;
    this.#sigmas = labels.map((label) => high * (low / high) ** (label / (levels - 1)));
    this.#runs = runs;
    this.#seed = seedOf(call, options.seed);
    this.#free = free;
    this.#seen = seen;
    this.#values = values;
    const size = this.#particles * dims;
    this.#buffer = model.gpu.storage("noise of the diffusion", 4 * runs * size);
    const seeds = Array.from({ length: runs }, (_, r) => (this.#seed + r) % 2 ** 32);
    this.#noise = new NoiseSource(model.gpu, runs, size, seeds);
  }

  static async create(model: Diffusion, options: DiffusionOptions): Promise<HostDiffusion> {
    const its = new HostDiffusion(model, options);
    try {
      const guided = options.method === "guidance" || options.method === "twisted";
      its.#open = await Network.open(model, its.#rows, guided);
      return its;
    } catch (error) {
      its.release();
      throw error;
    }
  }

  get #network(): Network {
    return this.#open!;
  }

  release(): void {
    this.#open?.release();
    this.#noise.destroy();
    this.#model.gpu.destroyBuffer(this.#buffer);
    this.#model.gpu.flushDestroyed();
  }

  get #rows(): number {
    return this.#runs * this.#particles;
  }

  /** The next standard normal values, all coordinates; `given` in their place. */
  async #draw(name: string, given: Float32Array | undefined): Promise<Float32Array> {
    const length = this.#rows * this.#model.dims;
    if (given) {
      if (given.length !== length)
        throw bad(`sampleDiffusion: draws.${name} holds ${given.length} values where ${length} are needed.`);
      return given;
    }
    await this.#noise.fill(this.#buffer);
    return this.#model.gpu.readF32(this.#buffer, length);
  }

  /** sigma_0 z, or what is given. */
  async #start(): Promise<Float64Array> {
    const given = this.#options.draws?.x0;
    return Float64Array.from(await this.#draw("x0", given), (z) => (given ? z : this.#sigmas[0]! * z));
  }

  #step(i: number): Step {
    const [here, next] = [this.#sigmas[i]! ** 2, (this.#sigmas[i + 1] ?? 0) ** 2];
    return { drop: here - next, deviation: Math.sqrt((next * (here - next)) / here) };
  }

  /** Calls for every observed coordinate of every particle: its place, and its value. */
  #observed(visit: (at: number, value: number, row: number) => void, first = 0, end = this.#rows): void {
    const { dims } = this.#model;
    for (let row = first; row < end; row++) {
      const values = this.#values[Math.floor(row / this.#particles)]!;
      this.#seen.forEach((d, k) => {
        visit(row * dims + d, values[k]!, row);
      });
    }
  }

  /** s = output / sigma; guidance t = v + sigma H v, v = (c - xhat) / sigma^2 on the observed coordinates. */
  async #field(x: Float64Array, i: number, guided: boolean): Promise<Field> {
    const [sigma, label] = [this.#sigmas[i]!, this.#labels[i]!];
    const { dims } = this.#model;
    const score = new Float64Array(x.length);
    const guidance = guided ? new Float64Array(x.length) : undefined;
    const size = this.#network.rows * dims;
    for (let first = 0; first < x.length; first += size) {
      const output = await this.#network.output(Float32Array.from(x.subarray(first, first + size)), label);
      output.forEach((value, at) => {
        score[first + at] = value / sigma;
      });
      if (!guidance) continue;
      const direction = new Float64Array(output.length);
      const aim = (at: number, value: number) => {
        direction[at - first] = (value - (x[at]! + sigma ** 2 * score[at]!)) / sigma ** 2;
      };
      this.#observed(aim, first / dims, (first + output.length) / dims);
      const product = await this.#network.product(Float32Array.from(direction));
      product.forEach((value, at) => {
        guidance[first + at] = direction[at]! + sigma * value;
      });
    }
    this.#evaluations++;
    if (guided) this.#products++;
    if (!score.every(Number.isFinite))
      throw new NcvsdError(
        "NOT_FINITE",
        `sampleDiffusion: the score at noise level ${label} is not finite: check the weights.`,
      );
    return { score, guidance };
  }

  #result(points: Float64Array): DiffusionResult {
    const { dims } = this.#model;
    const width = this.#free.length;
    return {
      samples: Float32Array.from(
        { length: this.#rows * width },
        (_, i) => points[Math.floor(i / width) * dims + this.#free[i % width]!]!,
      ),
      points: Float32Array.from(points),
      evaluations: this.#evaluations,
      products: this.#products,
    };
  }

  /** Ancestral steps: mu = x + Delta (s + t), x <- mu + sqrt(sigma_{i+1}^2 Delta / sigma_i^2) z. */
  async ancestral(): Promise<DiffusionResult> {
    const { method, draws, onStep, signal } = this.#options;
    const x = await this.#start();
    for (let i = 0; i < this.#sigmas.length; i++) {
      signal?.throwIfAborted();
      if (method === "replacement") {
        const z = await this.#draw(`replace[${i}]`, draws?.replace?.[i]);
        this.#observed((at, value) => {
          x[at] = value + this.#sigmas[i]! * z[at]!;
        });
      }
      const { score, guidance } = await this.#field(x, i, method === "guidance");
      const { drop, deviation } = this.#step(i);
      const z = deviation > 0 ? await this.#draw(`noise[${i}]`, draws?.noise?.[i]) : undefined;
      for (let at = 0; at < x.length; at++)
        x[at]! += drop * (score[at]! + (guidance?.[at] ?? 0)) + (z ? deviation * z[at]! : 0);
      await onStep?.({ step: i + 1, x: x.slice() });
    }
    return this.#result(x);
  }

  /** ln N(c; xhat_O(x), sigma_i^2) of every particle. */
  #twist(x: Float64Array, score: Float64Array, i: number): Float64Array {
    const variance = this.#sigmas[i]! ** 2;
    const psi = new Float64Array(this.#rows).fill((-this.#seen.length / 2) * Math.log(2 * Math.PI * variance));
    this.#observed((at, value, row) => {
      psi[row]! -= (value - (x[at]! + variance * score[at]!)) ** 2 / (2 * variance);
    });
    return psi;
  }

  /** Ancestors by systematic resampling of every run, rows counted over all runs. */
  #ancestors(logWeights: Float64Array, t: number): Int32Array {
    const n = this.#particles;
    const given = this.#options.draws?.systematic?.[t];
    const ancestors = new Int32Array(this.#rows);
    for (let r = 0; r < this.#runs; r++) {
      const own = logWeights.subarray(r * n, (r + 1) * n);
      const v =
        given === undefined
          ? uniformsFrom((this.#seed + r) % 2 ** 32, t + 1)()
          : typeof given === "number"
            ? given
            : given[r]!;
      const top = own.reduce((a, b) => Math.max(a, b), -Infinity);
      let total = 0;
      const sums = own.map((w) => {
        total += Math.exp(w - top);
        return total;
      });
      let j = 0;
      for (let slot = 0; slot < n; slot++) {
        while (j < n - 1 && sums[j]! < ((slot + v) * total) / n) j++;
        ancestors[r * n + slot] = r * n + j;
      }
    }
    return ancestors;
  }

  /** Wu et al. 2023, with resampling at every step: positions, scores, guidance and twists travel together. */
  async twisted(): Promise<DiffusionResult> {
    const { dims } = this.#model;
    const { draws, onStep, signal } = this.#options;
    const last = this.#sigmas.length - 1;
    let x = await this.#start();
    let field = await this.#field(x, 0, last > 0);
    let psi = this.#twist(x, field.score, 0);
    let logWeights = psi;
    for (let i = 0; i < last; i++) {
      signal?.throwIfAborted();
      const from = this.#ancestors(logWeights, i);
      const { drop, deviation } = this.#step(i);
      const z = await this.#draw(`noise[${i}]`, draws?.noise?.[i]);
      const next = new Float64Array(x.length);
      const own = new Float64Array(this.#rows);
      for (let row = 0; row < this.#rows; row++) {
        for (let d = 0; d < dims; d++) {
          const [at, source] = [row * dims + d, from[row]! * dims + d];
          const pull = drop * field.guidance![source]!;
          const mean = x[source]! + drop * field.score[source]!;
          next[at] = mean + pull + deviation * z[at]!;
          own[row]! += ((next[at]! - mean - pull) ** 2 - (next[at]! - mean) ** 2) / (2 * deviation ** 2);
        }
        own[row]! -= psi[from[row]!]!;
      }
      x = next;
      field = await this.#field(x, i + 1, i + 1 < last);
      psi = this.#twist(x, field.score, i + 1);
      logWeights = own.map((w, row) => w + psi[row]!);
      await onStep?.({ step: i + 1, x: x.slice(), logWeights, logTwist: psi });
    }
    const from = this.#ancestors(logWeights, last);
    const clean = x.map((v, at) => v + this.#sigmas[last]! ** 2 * field.score[at]!);
    return this.#result(clean.map((_, at) => clean[from[Math.floor(at / dims)]! * dims + (at % dims)]!));
  }
}
