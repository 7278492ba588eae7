import { ulaStep } from "../../kernels/sampling/ula-step/kernel.js";
import { bad, checkKeys, NcvsdError } from "../errors.js";
import type { Gpu } from "../gpu/device.js";
import type { Encodable } from "../graph/stage.js";
import { checkInteger, checkPositive, countOf, volume } from "../operators/check.js";
import type { Operator, UlaOptions } from "../operators/operator.js";
import { watched } from "../operators/own.js";
import type { NoiseCallback } from "../random/noise.js";
import { type Energy, openEnergy } from "./energy.js";
import type { Density } from "./particles/density.js";
import { sampleUla, type UlaChainOptions, type UlaChainResult } from "./particles/ula.js";
import { Run } from "./run.js";

export interface LangevinOptions extends UlaOptions {
  /** Step size in place of c1 and c2: the same at every level. */
  readonly step?: number;
}

/** Step sizes that adapt to the level, or one fixed length. */
export type UlaSettings =
  | { readonly c1: number; readonly c2: number; readonly steps: number }
  | { readonly step: number; readonly steps: number };

/** Checked, with the paper's values (Table 4) where something is missing. */
export function ulaSettings({ c1, c2, step, steps = 100 }: LangevinOptions = {}): UlaSettings {
  checkInteger("ula", "steps", steps, 1);
  if (step !== undefined) {
    if (c1 !== undefined || c2 !== undefined)
      throw bad("ula: step is a fixed step size in place of c1 and c2: give one or the other.");
    return { step: checkPositive("ula", "step", step), steps };
  }
  return { c1: checkPositive("ula", "c1", c1 ?? 0.1), c2: checkPositive("ula", "c2", c2 ?? 0.1), steps };
}

/** For checkKeys. */
export const ULA = { c1: true, c2: true, step: true, steps: true } as const;

interface UlaBuffers {
  readonly origin: GPUBuffer;
  readonly level: GPUBuffer;
  /** Recorded noise, or the number of the next draw. */
  readonly z?: GPUBuffer;
  readonly draw?: GPUBuffer;
}

/** Langevin steps recorded into one submission: long ones keep a display's driver from answering. */
const STEPS_PER_SUBMIT = 10;

/**
 * Unadjusted Langevin dynamics for exp(-E(x) / beta - ||x - origin||^2 / (2 sigma^2)) (NCVSD, section 4):
 *
 *     x <- x - eta (grad E(x) / beta + (x - origin) / sigma^2) + sqrt(2 eta) z,   eta = c1 / (c2 / beta + 1 / sigma^2), or `step`
 *
 * starting at the origin. With the built-in generator nothing is read back or written between the steps.
 */
export class Ula {
  /** The centre, to be written before `run`. */
  readonly origin: GPUBuffer;
  /** The state; after `run` the result. */
  readonly x: GPUBuffer;
  readonly settings: UlaSettings;
  readonly #run: Run;
  readonly #energy: Energy;
  readonly #beta: number;
  readonly #buffers: UlaBuffers;
  /** One step with recorded noise, or two that hand the draw number to each other. */
  readonly #steps: readonly Encodable[];

  private constructor(
    run: Run,
    energy: Energy,
    beta: number,
    settings: UlaSettings,
    buffers: UlaBuffers,
    steps: readonly Encodable[],
  ) {
    this.#run = run;
    this.#energy = energy;
    this.#beta = beta;
    this.settings = settings;
    this.#buffers = buffers;
    this.#steps = steps;
    this.origin = buffers.origin;
    this.x = energy.x;
  }

  static async create(run: Run, energy: Energy, beta: number, ula: LangevinOptions | undefined): Promise<Ula> {
    const { batch, elements, noise } = run;
    const { recorded, seeds } = noise;
    const settings = ulaSettings(ula);
    const origin = run.buffer("Langevin origin");
    const level = run.buffer("Langevin level", 4);
    const step = (more: Record<string, GPUBuffer>) =>
      run.stage(
        "Langevin step",
        ulaStep,
        { batch, elements, recorded },
        { x: energy.x, origin, gradient: energy.gradient, level, ...more },
      );
    if (recorded) {
      const z = run.buffer("Langevin noise");
      return new Ula(run, energy, beta, settings, { origin, level, z }, [await step({ z })]);
    }
    const draw = run.buffer("Langevin draw", 1);
    const other = run.buffer("Langevin next draw", 1);
    const steps = [await step({ seeds, draw, nextDraw: other }), await step({ seeds, draw: other, nextDraw: draw })];
    return new Ula(run, energy, beta, settings, { origin, level, draw }, steps);
  }

  /**
   * Runs all steps at level sigma.
   * @param fixed step size of this run, in place of the settings'
   * @param onStep costs a submission per step
   */
  async run(sigma: number, fixed?: number, onStep?: (step: number) => void | Promise<void>): Promise<void> {
    const { steps } = this.settings;
    const eta = fixed ?? this.#stepAt(sigma);
    const { gpu, noise } = this.#run;
    const { level, z, draw } = this.#buffers;
    gpu.write(level, Float32Array.of(eta, this.#beta, sigma * sigma, Math.sqrt(2 * eta)));
    await this.#run.submit([], [[this.origin, this.x]]);
    if (draw) gpu.write(draw, new Uint32Array([noise.take(steps)]));
    const perSubmit = this.#energy.stage && draw && !onStep ? STEPS_PER_SUBMIT : 1;
    for (let k = 0; k < steps; k += perSubmit) {
      if (z) await noise.fill(z);
      await this.#energy.evaluate?.();
      const work: Encodable[] = [];
      for (let i = k; i < Math.min(steps, k + perSubmit); i++) {
        if (this.#energy.stage) work.push(this.#energy.stage);
        work.push(this.#steps[i % this.#steps.length]!);
      }
      await this.#run.submit(work);
      await onStep?.(k + 1);
    }
  }

  #stepAt(sigma: number): number {
    if ("step" in this.settings) return this.settings.step;
    const { c1, c2 } = this.settings;
    // In single precision, as the reference forms it.
    const f = Math.fround;
    return f(f(c1) / f(f(c2 / this.#beta) + f(1 / f(sigma * sigma))));
  }

  /** Lets the draws of one `run` go by. */
  skip(): void {
    for (let k = 0; k < this.settings.steps; k++) this.#run.noise.skip();
  }
}

export interface LangevinInput extends LangevinOptions {
  /** Centre of the prior and start, N*C*H*W. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Standard deviation of the prior. */
  readonly sigma: number;
  /** Energy strength: 2 * (measurement noise)^2. */
  readonly beta: number;
  readonly seeds?: ArrayLike<number>;
  /** Replaces the generator: called once per step. */
  readonly noise?: NoiseCallback;
  /** Stops the run: its `reason` is thrown. */
  readonly signal?: AbortSignal;
  /** After each step, 1-based; `state` reads back. */
  readonly onStep?: (event: { readonly step: number; state(): Promise<Float32Array> }) => void | Promise<void>;
}

/** `sampleUla`: chains of unadjusted Langevin dynamics of an energy or a score network. */
export function sampleLangevin(model: Density, options?: UlaChainOptions): Promise<UlaChainResult>;
/**
 * The likelihood step of PnP-GD by Langevin dynamics: an approximate draw of
 * p(x' | y) ~ exp(-||A(x') - y||^2 / beta) N(x'; x, sigma^2).
 * @returns N*C*H*W values
 * @throws NcvsdError BAD_ARGUMENT, NOT_FINITE
 */
export function sampleLangevin(gpu: Gpu, operator: Operator, input: LangevinInput): Promise<Float32Array>;
export function sampleLangevin(
  of: Gpu | Density,
  what?: Operator | UlaChainOptions,
  input?: LangevinInput,
): Promise<Float32Array | UlaChainResult> {
  return "energy" in of
    ? sampleUla(of, what as UlaChainOptions | undefined)
    : likelihoodStep(of, what as Operator, input as LangevinInput);
}

async function likelihoodStep(gpu: Gpu, given: Operator, input: LangevinInput): Promise<Float32Array> {
  checkKeys("sampleLangevin", input, {
    ...ULA,
    x: true,
    y: true,
    sigma: true,
    beta: true,
    seeds: true,
    noise: true,
    signal: true,
    onStep: true,
  });
  const operator = watched(given);
  const { x, y, sigma, beta, seeds, noise, signal, onStep } = input;
  const elements = volume(operator.shape);
  const batch = countOf("x", x, elements, operator.shape);
  if (countOf("y", y, volume(operator.measurementShape), operator.measurementShape) !== batch) {
    throw bad(`y does not hold as many measurements as x holds images, ${batch}.`);
  }
  checkPositive("Langevin step", "sigma", sigma);
  checkPositive("Langevin step", "beta", beta);
  const of = { gpu, shape: operator.shape };
  return Run.during(of, { what: "the Langevin step", batch, seeds, noise, signal }, async (run) => {
    const ula = await Ula.create(run, await openEnergy(run, operator, y), beta, input);
    gpu.write(ula.origin, x);
    const state = () => run.read(ula.x);
    await ula.run(sigma, undefined, onStep && ((step) => onStep({ step, state })));
    const result = await state();
    if (result.some((v) => !Number.isFinite(v))) {
      throw new NcvsdError(
        "NOT_FINITE",
        `The Langevin step at level ${sigma} ended in values that are not finite: use a smaller ${input.step === undefined ? "c1" : "step"}, or look at the operator's gradient.`,
      );
    }
    return result;
  });
}
