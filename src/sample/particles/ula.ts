import { freeLangevin } from "../../../kernels/sampling/free-langevin/kernel.js";
import { bad, checkKeys, NcvsdError } from "../../errors.js";
import type { Density } from "./density.js";
import { type Box, checkDensity, clampOf, type Given } from "./given.js";
import { Particles } from "./particles.js";
import { betasOf, integerOf, numberOf, seedOf } from "./settings.js";

export interface UlaChainOptions {
  readonly given?: Given;
  /** Chains of a run. Default 1024. */
  readonly particles?: number;
  readonly runs?: number;
  readonly sigma?: number;
  /** Default 500. */
  readonly steps?: number;
  /** Inverse temperature: one number, or one per step. Default 1. */
  readonly beta?: number | ArrayLike<number>;
  /** Step size eta. Default 0.2 sigma_s^2, which is stable for any data. */
  readonly eta?: number;
  /** A step that would leave it is not taken. */
  readonly box?: Box;
  /** Where the chains start, runs x particles x unobserved. Default: uniform in the box. */
  readonly x?: Float32Array;
  /** Per step runs x particles x unobserved standard normal values; absent: drawn. */
  readonly noise?: readonly Float32Array[];
  readonly seed?: number;
  /** After each step, from 1; `state` reads the unobserved coordinates back. */
  readonly onStep?: (event: { readonly step: number; state(): Promise<Float32Array> }) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

export interface UlaChainResult {
  /** The chains' last states, runs x particles x unobserved coordinates (in ascending order). */
  readonly samples: Float32Array;
  /** Gradients of phi per particle. */
  readonly evaluations: number;
}

/** Steps recorded into one submission: long ones keep a display's driver from answering. */
const STEPS_PER_SUBMIT = 10;

/**
 * Independent chains of unadjusted Langevin dynamics of exp(beta phi / sigma^2), the observed coordinates clamped:
 * u <- u + eta beta grad phi / sigma^2 + sqrt(2 eta) z (Wedenig and Peharz, section 4). Biased by the step size, and each chain
 * stays in its mode: `sampleSmc` is the better choice for conditionals of several modes. The one sampler for networks that give
 * scores and no energy.
 * @throws BAD_ARGUMENT, OUT_OF_MEMORY, NOT_FINITE
 */
export async function sampleUla(model: Density, options: UlaChainOptions = {}): Promise<UlaChainResult> {
  const call = "sampleUla";
  checkKeys(call, options, {
    given: true,
    particles: true,
    runs: true,
    sigma: true,
    steps: true,
    beta: true,
    eta: true,
    box: true,
    x: true,
    noise: true,
    seed: true,
    onStep: true,
    signal: true,
  });
  checkDensity(call, model, true);
  const { particles = 1024, x, noise, onStep, signal } = options;
  const clamp = clampOf(call, model, options);
  const sigma = numberOf(call, "sigma", options.sigma ?? model.config.sigma_min, { above: 0 });
  const steps = integerOf(call, "steps", options.steps ?? noise?.length ?? 500, 1, 1_000_000);
  const betas = betasOf(call, options.beta ?? 1, steps);
  const eta = numberOf(call, "eta", options.eta ?? 0.2 * sigma ** 2, { above: 0 });
  const size = clamp.runs * particles * clamp.free.length;
  for (const [name, values] of [["x", x] as const, ...(noise ?? []).map((z, k) => [`noise[${k}]`, z] as const)])
    if (values !== undefined && values.length !== size)
      throw bad(`${call}: ${name} holds ${values.length} values where ${size} are needed.`);
  if (noise && noise.length < steps) throw bad(`${call}: noise holds ${noise.length} draws for ${steps} steps.`);
  const its_ = { what: call, clamp, particles, sigma, seed: seedOf(call, options.seed) };
  return Particles.during(model, its_, async (its) => {
    const { run, session, dims, free, box, scale } = its;
    await its.place(its.points("start"), x);
    const plan = its.upload(
      "plan",
      Float32Array.from(betas.flatMap((beta) => [eta * beta * scale, Math.sqrt(2 * eta)])),
    );
    const counters = [run.buffer("step", 1), run.buffer("next step", 1)] as const;
    run.gpu.write(counters[0], new Uint32Array([0]));
    const z = noise && run.buffer("given noise", size);
    const params = { runs: clamp.runs, particles, dims, free, steps, recorded: z !== undefined };
    const step = (from: number) =>
      run.stage("Langevin step", freeLangevin, params, {
        x: session.x,
        o: session.output,
        box,
        plan,
        step: counters[from]!,
        draws: z ?? run.noise.seeds,
        next: counters[1 - from]!,
      });
    const ways = [await step(0), await step(1)];
    const together = z || onStep ? 1 : STEPS_PER_SUBMIT;
    for (let k = 0; k < steps; k += together) {
      signal?.throwIfAborted();
      if (z) run.gpu.write(z, Float32Array.from(noise[k]!));
      const count = Math.min(together, steps - k);
      // The gradient at x is there already: of the start, or of the step before.
      await run.submit(Array.from({ length: count }, (_, i) => [ways[(k + i) % 2]!, session]).flat());
      await onStep?.({ step: k + 1, state: () => its.gather(session.x) });
    }
    const samples = await its.gather(session.x);
    if (!samples.every(Number.isFinite))
      throw new NcvsdError("NOT_FINITE", `${call} ended in values that are not finite: use a smaller eta.`);
    return { samples, evaluations: 1 + steps };
  });
}
