import { checkKeys, NcvsdError } from "../errors.js";
import { batchOf, requireRoom, sigmaRow } from "../networks/inputs.js";
import type { GenerativeDenoiser, Labels } from "../networks/session.js";
import type { NoiseCallback } from "../random/noise.js";
import { openPrior } from "./prior.js";
import { Run, type Views } from "./run.js";
import { evaluatedSteps } from "./schedule.js";

/** What a sampler tells after each step. */
export interface StepEvent {
  /** 1-based. */
  readonly step: number;
  readonly steps: number;
  /** Noise level of the step: sigma_i of the schedule. */
  readonly sigma: number;
  /** The present estimate x0, N*C*H*W values. Reads back: call it only when needed, and within the callback. */
  preview(): Promise<Float32Array>;
  /** sampleMultiStep with `ts`: x_{i-1}, what the next step denoises; not there after the last. Reads back. */
  next?(): Promise<Float32Array>;
  /** sampleHeun: what the network gave last, D at the level that the step went to (after the last one: that it came from). Reads back. */
  denoised?(): Promise<Float32Array>;
}

export interface SampleResult {
  /** N*C*H*W, in the network's value range. */
  readonly images: Float32Array;
  readonly shape: readonly [n: number, c: number, h: number, w: number];
}

export interface SampleOptions {
  /** One per image, integers 0 to 2^32-1; default 0, 1, 2, … An image depends on its own seed only. */
  readonly seeds?: ArrayLike<number>;
  readonly labels?: Labels;
  /** Replaces the generator: called once per draw of the whole batch, in the order of the reference. */
  readonly noise?: NoiseCallback;
  /** Number of images where neither seeds, y nor labels tell it; default 1. */
  readonly batch?: number;
  readonly onStep?: (event: StepEvent) => void | Promise<void>;
  /** Read back after every step to name the node where values stop being finite. */
  readonly debug?: boolean;
  /** Stops the run within a step: its `reason` is thrown. */
  readonly signal?: AbortSignal;
}

/** For checkKeys. */
export const SAMPLE_OPTIONS = {
  seeds: true,
  labels: true,
  noise: true,
  batch: true,
  onStep: true,
  debug: true,
  signal: true,
} as const;

export interface MultiStepOptions extends SampleOptions {
  /** Indices into the 40-level grid, increasing, 0..38 (a trailing 39 is dropped); absent: one evaluation at the observation's level. */
  readonly ts?: readonly number[] | null;
  /** Share of fresh noise when re-noising, 0 to 1; default 1 (the reference). */
  readonly zeta?: number;
  /** Denoise this noisy image (N*C*H*W) of noise level `sigma` instead of generating from pure noise at init_sigma. */
  readonly y?: Float32Array;
  readonly sigma?: number | ArrayLike<number>;
}

/** Number of images of a run, from whatever tells it. */
export function runBatch(
  model: Pick<GenerativeDenoiser, "gpu" | "shape" | "labelDim">,
  options: SampleOptions & { y?: Float32Array },
): number {
  const { y, seeds, labels, batch } = options;
  const found = [
    y && batchOf("y", y, model.shape),
    seeds?.length,
    labels && !(labels instanceof Float32Array) && labels.length > 1 ? labels.length : undefined,
    batch,
  ].filter((n): n is number => n !== undefined);
  if (found.length === 0 && labels instanceof Float32Array && model.labelDim)
    found.push(labels.length / model.labelDim);
  const n = found[0] ?? 1;
  if (!Number.isInteger(n) || n < 1)
    throw new NcvsdError("BAD_ARGUMENT", "There is nothing to sample: give at least one seed.");
  const other = found.find((m) => m !== n);
  if (other !== undefined)
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `seeds, labels, y and batch speak of ${n} and of ${other} images: they must agree.`,
    );
  requireRoom(model, n);
  return n;
}

/**
 * Multi-step generative denoising (NCVSD, Algorithm 2 and Proposition 2). With no `y` it generates from pure noise at the
 * network's init_sigma. With recorded `noise` a run of the reference is replayed: draws in its order are the initial noise
 * (without y only), x_N, then per step z and the re-noising (the last of which is drawn and thrown away).
 *
 *     x_N ~ N(0, sigma_N^2)
 *     for i = N … 1:  sigma_eff = (sigma^-2 + sigma_i^-2)^(-1/2),  y_eff = sigma_eff^2 (sigma^-2 y + sigma_i^-2 x_i)
 *                     x_0 = G(y_eff, sigma_eff)
 *                     x_{i-1} = x_0 + sigma_{i-1} (sqrt(zeta) eps + sqrt(1 - zeta) (x_i - x_0) / sigma_i)
 *
 * @throws NcvsdError BAD_ARGUMENT, NOT_FINITE (naming the step), OUT_OF_MEMORY, DEVICE_LOST
 */
export async function sampleMultiStep(
  model: GenerativeDenoiser,
  options: MultiStepOptions = {},
): Promise<SampleResult> {
  checkKeys("sampleMultiStep", options, { ...SAMPLE_OPTIONS, ts: true, zeta: true, y: true, sigma: true });
  const { zeta = 1, y, labels, seeds, noise, signal, onStep, debug = false } = options;
  if (!(zeta >= 0 && zeta <= 1)) throw new NcvsdError("BAD_ARGUMENT", `zeta must be from 0 to 1, got ${zeta}.`);
  if (!y && options.sigma !== undefined)
    throw new NcvsdError("BAD_ARGUMENT", "sigma is the noise level of y: give both, or neither.");
  const ts = options.ts ? evaluatedSteps(options.ts) : undefined;
  const batch = runBatch(model, options);
  const sigma = sigmaRow("sigma", y ? options.sigma : model.initSigma, batch);

  return Run.during(model, { what: "multi-step sampling", batch, seeds, noise, signal }, async (run) => {
    const { gpu } = run;
    const prior = await openPrior(model, run, { labels, ts, zeta });
    const watch = await run.watch(prior.x0);
    const steps = prior.evaluations;

    // The observation: given, or pure noise at init_sigma.
    gpu.write(prior.observedSigma, sigma);
    if (y) gpu.write(prior.observed, y);
    else await run.start(prior.observed, model.initSigma);

    await prior.sample(
      {
        before: (step) => watch.begin(step),
        watch: watch.stage,
        async after(step, level) {
          if (debug) await watch.verify("Sampling", steps, () => prior.locateNonFinite());
          const tell =
            onStep &&
            (({ preview, next }: Views) =>
              onStep({ step, steps, sigma: level, preview: preview!, ...(next ? { next } : {}) }));
          await run.step({ tell, shown: { preview: prior.x0, next: step < steps ? prior.state : undefined } });
        },
      },
      sigma[0]!,
    );
    await watch.verify("Sampling", steps, ts ? undefined : () => prior.locateNonFinite());
    return { images: await run.read(prior.x0), shape: [batch, ...model.shape] };
  });
}
