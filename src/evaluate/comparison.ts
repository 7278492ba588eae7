import { max, mean, median } from "d3-array";
import type { GaussianMixture } from "../priors/mixture.js";
import type { Density } from "../sample/particles/density.js";
import { mixtureDensity } from "../sample/particles/density.js";
import { type DiffusionMethod, sampleDiffusion } from "../sample/particles/diffusion.js";
import type { Diffusion } from "../sample/particles/diffusion-network.js";
import { sampleSmc } from "../sample/particles/smc.js";
import { gridQuantiles, phiOnGrid } from "./conditionals.js";
import { wasserstein1 } from "./wasserstein.js";

/** A way to sample conditionals, of which W1 is measured. */
export interface Method {
  readonly name: string;
  /** Runs of `particles` for rows of observed values (all coordinates but the last). `turn`: which of the seeds it is. */
  sample(
    values: readonly Float64Array[],
    particles: number,
    seed: number,
    turn: number,
  ): Promise<{ samples: Float32Array; cost: string }>;
}

/** The first coordinates, all but the last. */
const allButLast = (dims: number) => Array.from({ length: dims - 1 }, (_, d) => d);

/** Networks of several seeds take turns, so that the scatter of the distances has theirs in it. */
const inTurn = <T>(models: readonly T[], turn: number): T => models[turn % models.length]!;

/** Tempered sequential Monte Carlo of an energy. */
export function smcMethod(name: string, models: readonly Density[], sigma?: number): Method {
  return {
    name,
    async sample(values, particles, seed, turn) {
      const model = inTurn(models, turn);
      const { samples, evaluations } = await sampleSmc(model, {
        given: { indices: allButLast(model.dims), values },
        particles,
        sigma: sigma ?? model.config.sigma_min,
        seed,
        ...(model.config.box_low ? {} : { box: [-4, 4] as const }),
      });
      return { samples, cost: `${evaluations} gradients` };
    },
  };
}

/** Points of the grid that stands for a sampler. */
const GRID = 1000;

/** No sampler: quantiles of exp(phi / sigma^2) over a grid of the last coordinate. What it lacks, the network lacks. */
export function gridMethod(name: string, models: readonly Density[]): Method {
  return {
    name,
    async sample(values, particles, _seed, turn) {
      const model = inTurn(models, turn);
      const last = model.dims - 1;
      const [low, high] = [model.config.box_low?.[last] ?? -4, model.config.box_high?.[last] ?? 4];
      const given = { indices: allButLast(model.dims), values };
      const { grid, phi } = await phiOnGrid(model, { given, low, high, points: GRID });
      const samples = values.flatMap((_, run) =>
        gridQuantiles(grid, phi.subarray(run * GRID, (run + 1) * GRID), model.config.sigma_min, particles),
      );
      return { samples: Float32Array.from(samples), cost: `${GRID} points of a grid` };
    },
  };
}

/** A heuristic of a diffusion model. */
export function diffusionMethod(
  name: string,
  models: readonly Diffusion[],
  method: Exclude<DiffusionMethod, "unconditional">,
): Method {
  return {
    name,
    async sample(values, particles, seed, turn) {
      const model = inTurn(models, turn);
      const given = { indices: allButLast(model.dims), values };
      const { samples, evaluations, products } = await sampleDiffusion(model, { method, given, particles, seed });
      return { samples, cost: `${evaluations} gradients${products ? `, ${products} Hessian products` : ""}` };
    },
  };
}

/** What a sampler of the smoothed density itself makes: the floor for networks of that density. */
export const exactMethod = (gpu: Density["gpu"], mixture: GaussianMixture, sigma: number): Method =>
  smcMethod("exact density", [mixtureDensity(gpu, mixture, { sigma })]);

/** W1 of one method, per test point and seed (seed after seed). */
export interface MethodResult {
  readonly name: string;
  /** Network evaluations per sample. */
  readonly cost: string;
  readonly clean: Float64Array;
  readonly smoothed: Float64Array;
  /** Samples of the first seed at the shown test point. */
  readonly shown: Float32Array;
  readonly seconds: number;
}

export interface ComparisonSettings {
  readonly mixture: GaussianMixture;
  /** sigma(0): what the truth is smoothed with. */
  readonly sigma: number;
  /** Rows of D coordinates, of which the last is not used. */
  readonly points: readonly Float64Array[];
  readonly seeds: number;
  /** Samples of a run. */
  readonly particles: number;
  /** The test point whose samples are kept. */
  readonly show: number;
  /** Rows of particles at a time. */
  readonly rows: number;
  readonly onProgress?: (done: number, method: string) => void;
}

/**
 * 1-Wasserstein distances between samples of conditionals and as many true draws, for every test point and seed: against the
 * mixture's own conditional (clean) and that of the smoothed mixture, which is what DISCO learns.
 */
export async function compareMethods(
  methods: readonly Method[],
  settings: ComparisonSettings,
): Promise<MethodResult[]> {
  const { mixture, sigma, points, seeds, particles, show, rows, onProgress } = settings;
  const indices = allButLast(mixture.dims);
  const values = points.map((point) => Float64Array.from(point.subarray(0, mixture.dims - 1)));
  const truths = [mixture, mixture.smoothed(sigma)].map((mix) =>
    values.map((row) => mix.conditional({ indices, values: row })),
  );
  // True draws have seeds of their own.
  const draws = truths.map((own) =>
    Array.from({ length: seeds }, (_, s) =>
      own.map((truth, n) => truth.sample(particles, 2 ** 31 + s * points.length + n)),
    ),
  );
  const together = Math.max(1, Math.floor(rows / particles));
  const results: MethodResult[] = [];
  for (const { name, sample } of methods) {
    const [clean, smoothed] = [new Float64Array(seeds * points.length), new Float64Array(seeds * points.length)];
    let [cost, shown] = ["", new Float32Array()];
    const started = performance.now();
    for (let s = 0; s < seeds; s++) {
      for (let first = 0; first < points.length; first += together) {
        const part = values.slice(first, first + together);
        const made = await sample(part, particles, s * points.length + first, s);
        cost = made.cost;
        part.forEach((_, k) => {
          const n = first + k;
          const own = made.samples.subarray(k * particles, (k + 1) * particles);
          clean[s * points.length + n] = wasserstein1(own, draws[0]![s]![n]!);
          smoothed[s * points.length + n] = wasserstein1(own, draws[1]![s]![n]!);
          if (s === 0 && n === show) shown = own.slice();
        });
        onProgress?.(s * points.length + first + part.length, name);
      }
    }
    results.push({ name, cost, clean, smoothed, shown, seconds: (performance.now() - started) / 1000 });
  }
  return results;
}

/** Mean, median and largest of some distances. */
export const summary = (values: Float64Array) => ({ mean: mean(values)!, median: median(values)!, max: max(values)! });

/** The same of every seed. */
export function seedSummaries(values: Float64Array, seeds: number) {
  const each = values.length / seeds;
  return Array.from({ length: seeds }, (_, s) => summary(values.subarray(s * each, (s + 1) * each)));
}
