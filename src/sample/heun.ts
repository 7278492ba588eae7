import { addNoise } from "../../kernels/sampling/add-noise/kernel.js";
import { eulerStep } from "../../kernels/sampling/euler-step/kernel.js";
import { heunStep } from "../../kernels/sampling/heun-step/kernel.js";
import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Denoiser, DenoiserSession } from "../networks/session.js";
import type { Evaluated } from "./evaluated.js";
import { inpainting, type KnownImage, knownPixelsOf } from "./known.js";
import { runBatch, SAMPLE_OPTIONS, type SampleOptions, type SampleResult } from "./multi-step.js";
import { Run, type Views } from "./run.js";
import { noiseLevels } from "./schedule.js";
import type { FiniteWatch } from "./watch.js";

export interface HeunOptions extends SampleOptions {
  /** Number of noise levels N; 2N - 1 evaluations. Default 32. */
  readonly steps?: number;
  /** Default 0.002. */
  readonly sigmaMin?: number;
  /** Default 80. */
  readonly sigmaMax?: number;
  /** Default 7. */
  readonly rho?: number;
  /** D = D_gnet + guidance (D - D_gnet); 1: no guidance. */
  readonly guidance?: number;
  /**
   * The reference network of guidance, given the same labels: an unconditional one has none and ignores them (classifier-free
   * guidance), a conditional one is a lesser version of the network (autoguidance).
   */
  readonly gnet?: Denoiser;
  /** Total amount of churn, default 0: deterministic. */
  readonly S_churn?: number;
  /** Churn only at levels from S_min to S_max. Default 0 to infinity. */
  readonly S_min?: number;
  readonly S_max?: number;
  /** Scale of the churn's noise, default 1. */
  readonly S_noise?: number;
  /** Pixels that are known: the others are sampled given them, by replacement. */
  readonly known?: KnownImage;
}

/**
 * Heun's second-order sampler of the EDM2 teacher (Karras et al. 2022, Algorithm 2) with churn and guidance by a second
 * network. With recorded `noise` a run of the reference is replayed: the initial noise, then one draw per churned step.
 * @throws NcvsdError BAD_ARGUMENT, NOT_FINITE (naming the step), OUT_OF_MEMORY, DEVICE_LOST
 */
export async function sampleHeun(model: Denoiser, options: HeunOptions = {}): Promise<SampleResult> {
  checkKeys("sampleHeun", options, {
    ...SAMPLE_OPTIONS,
    steps: true,
    sigmaMin: true,
    sigmaMax: true,
    rho: true,
    guidance: true,
    gnet: true,
    S_churn: true,
    S_min: true,
    S_max: true,
    S_noise: true,
    known: true,
  });
  const { steps = 32, sigmaMin = 0.002, sigmaMax = 80, rho = 7, guidance = 1, gnet, labels, debug = false } = options;
  checkOptions(model, options);
  const levels = noiseLevels({ steps, sigmaMin, sigmaMax, rho });
  const batch = runBatch(model, options);
  const pixels = options.known && knownPixelsOf("sampleHeun", options.known, model.shape, batch);
  if (pixels && guidance !== 1) throw bad("sampleHeun: known pixels and guidance do not go together.");
  if (pixels && (options.S_churn ?? 0) > 0) throw bad("sampleHeun: known pixels and churn do not go together.");

  return Run.during(model, { ...options, what: "Heun sampling", batch }, async (run) => {
    const net = run.hold(await model.openDenoiser(batch, labels));
    const guide =
      guidance !== 1 && gnet ? run.hold(await gnet.openDenoiser(batch, gnet.labelDim ? labels : undefined)) : undefined;
    const nets = guide ? [net, guide] : [net];
    const plain: Evaluated = {
      denoised: net.denoised,
      ...(guide ? { reference: guide.denoised } : {}),
      async evaluate(input, sigma) {
        await run.submit(
          [],
          nets.map((n) => [input, n.x] as const),
        );
        for (const n of nets) run.fill(n.sigma, sigma);
        await run.submit(nets);
      },
    };
    const inpainted = pixels && (await inpainting(run, plain, pixels));
    const evaluated = inpainted ?? plain;
    const { x, watches } = await heunSteps(run, evaluated, levels, options, async (step, state, watch) => {
      if (debug) await watch.verify("Sampling", steps, () => locate(nets));
      const { onStep } = options;
      const sigma = Math.fround(levels[step - 1]!);
      const tell =
        onStep &&
        (({ preview, denoised }: Views) => onStep({ step, steps, sigma, preview: preview!, denoised: denoised! }));
      await run.step({ tell, shown: { preview: state, denoised: net.denoised } });
    });
    for (const watch of watches) await watch.verify("Sampling", steps);
    return { images: await run.read(inpainted ? await inpainted.finish(x) : x), shape: [batch, ...model.shape] };
  });
}

export interface Churn {
  readonly guidance?: number;
  readonly S_churn?: number;
  readonly S_min?: number;
  readonly S_max?: number;
  readonly S_noise?: number;
}

/**
 * The loop of Heun's sampler from pure noise at the first level.
 * @param levels descending, without the final 0; rounded to single precision
 * @param after called with the step (1-based), the state after it, and the watch over it
 */
export async function heunSteps(
  run: Run,
  net: Evaluated,
  levels: ArrayLike<number>,
  { guidance = 1, S_churn = 0, S_min = 0, S_max = Number.POSITIVE_INFINITY, S_noise = 1 }: Churn,
  after: (step: number, state: GPUBuffer, watch: FiniteWatch) => Promise<void>,
): Promise<{ x: GPUBuffer; watches: readonly FiniteWatch[] }> {
  const { gpu, batch, elements, total } = run;
  const steps = levels.length;
  const [x, xHat, next, d, z] = ["x", "x_hat", "x_next", "d", "noise"].map((name) => run.buffer(name)) as Five;
  const level = run.buffer("level", 4);
  const params = { batch, elements, guided: net.reference !== undefined };
  const given = { dMain: net.denoised, ...(net.reference ? { dRef: net.reference } : {}), level };
  const churn = await run.stage("add_noise", addNoise, { elements: total }, { x, z, level, y: xHat });
  const euler = await run.stage("euler_step", eulerStep, params, { xHat, ...given, x: next, d });
  const heun = await run.stage("heun_step", heunStep, params, { xHat, x: next, d, ...given, out: x });
  const watch = await run.watch(x);
  const watchLast = await run.watch(next);

  await run.start(x, Math.fround(levels[0]!));
  for (let i = 0; i < steps; i++) {
    const last = i === steps - 1;
    const current = Math.fround(levels[i]!);
    const target = last ? 0 : Math.fround(levels[i + 1]!);
    const churned = S_churn > 0 && current >= S_min && current <= S_max;
    const t = churned ? Math.fround(current * (1 + Math.min(S_churn / steps, Math.SQRT2 - 1))) : current;
    const churnScale = Math.sqrt(Math.max(0, t * t - current * current)) * S_noise;
    gpu.write(level, Float32Array.of(t, target, guidance, churnScale));

    // Temporarily raise the noise level.
    if (churned) {
      await run.noise.fill(z);
      await run.submit([churn]);
    } else {
      await run.submit([], [[x, xHat]]);
    }

    // Euler step, then the second-order correction unless it would evaluate at sigma 0.
    await net.evaluate(xHat, t, target);
    const watching = last ? watchLast : watch;
    watching.begin(i + 1);
    if (last) {
      await run.submit([euler, watchLast.stage]);
    } else {
      await run.submit([euler]);
      await net.evaluate(next, target, target);
      await run.submit([heun, watch.stage]);
    }
    await after(i + 1, last ? next : x, watching);
  }
  return { x: next, watches: [watch, watchLast] };
}

type Five = [GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer, GPUBuffer];

async function locate(nets: readonly DenoiserSession[]): Promise<string | undefined> {
  for (const net of nets) {
    const node = await net.locateNonFinite();
    if (node) return node;
  }
  return undefined;
}

function checkOptions(model: Denoiser, options: HeunOptions): void {
  const { guidance = 1, gnet } = options;
  if (!Number.isFinite(guidance)) throw new NcvsdError("BAD_ARGUMENT", `guidance must be finite, got ${guidance}.`);
  if (guidance !== 1 && !gnet)
    throw new NcvsdError("BAD_ARGUMENT", `guidance ${guidance} needs a second network: give gnet.`);
  checkChurn(options);
  if (gnet && gnet.gpu !== model.gpu)
    throw new NcvsdError("BAD_ARGUMENT", "gnet is on another device: load it with the same gpu.");
  if (gnet && gnet.shape.join() !== model.shape.join()) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `gnet makes images ${gnet.shape.join("x")}, the network ${model.shape.join("x")}: they must agree.`,
    );
  }
  if (gnet?.labelDim && gnet.labelDim !== (model.labelDim ?? 0)) {
    throw new NcvsdError(
      "BAD_ARGUMENT",
      `gnet has ${gnet.labelDim} classes, the network ${model.labelDim ?? 0}: it gets the same labels, so they must agree, or gnet have none.`,
    );
  }
}

/** @throws NcvsdError BAD_ARGUMENT */
export function checkChurn(options: Churn): void {
  const { S_churn = 0, S_min = 0, S_noise = 1, S_max = Number.POSITIVE_INFINITY } = options;
  for (const [name, value] of Object.entries({ S_churn, S_min, S_noise, S_max })) {
    if (!(value >= 0)) throw new NcvsdError("BAD_ARGUMENT", `${name} must not be negative, got ${value}.`);
  }
  if (S_min > S_max)
    throw new NcvsdError("BAD_ARGUMENT", `S_min ${S_min} is above S_max ${S_max}: there would be no churn anywhere.`);
}
