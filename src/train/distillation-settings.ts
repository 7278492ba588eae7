import { Sha256 } from "../checkpoint/sha256.js";
import { bad } from "../errors.js";
import type { NcvsdConfig } from "../networks/edm2/arguments.js";
import type { Labels } from "../networks/session.js";
import type { TrainingData } from "./data.js";
import type { DistillationSettings } from "./distillation-rounds.js";
import type { TrainingPrecision } from "./precision.js";
import { completeRate, type LearningRate } from "./schedule.js";
import { type ConfigInput, dropoutOf, type NetworkInput } from "./source.js";
import type { Settings as StateSettings } from "./state.js";
import { updateSizes } from "./updates.js";

/** The networks that learn, in the order of their updates. */
export const DISTILLED = ["score", "discriminator", "generator"] as const;
export type DistilledNetwork = (typeof DISTILLED)[number];

export interface DistillationOptions {
  /** An EDM2 network whose score is distilled; it stays as it is. */
  readonly teacher: NetworkInput;
  /** Initial tensors by name, in place of those from the teacher or the generator of random numbers. */
  readonly networks?: Partial<Record<DistilledNetwork, NetworkInput>>;
  /** Arguments of the three networks; default: the teacher's, but for `dropout`: 0, as published. */
  readonly config?: ConfigInput;
  readonly batch: number;
  readonly batchGpu?: number;
  /** Relative increase of the noise level in the generator (0.414); 0: it adds no noise of its own. */
  readonly gamma?: number;
  /** Learning rates of generator and discriminator, relative to the score model's (0.01 each). */
  readonly gLrScaling?: number;
  readonly dLrScaling?: number;
  /** Learning rate of the mixing weights of the condition, relative to their networks' (1). */
  readonly ctrlLrScaling?: number;
  /** Weight of the adversarial loss (1), and when it begins: after both. */
  readonly ganLossScaling?: number;
  readonly ganWarmupKimg?: number;
  readonly ganWarmupBatches?: number;
  readonly lossScaling?: number;
  /** sigma_data of the losses' weighting (0.5). */
  readonly lossSigmaData?: number;
  /** Mean and standard deviation of ln(t): -0.8 and 1.6. */
  readonly pMean?: number;
  readonly pStd?: number;
  readonly lr: LearningRate;
  /** Averages of the generator (0.05 and 0.1). */
  readonly emaStds?: readonly number[];
  readonly seed?: number;
  readonly workers?: number;
  /** Compute the inside of blocks again for their derivatives: less memory, more time, the same bits (false). */
  readonly recompute?: boolean;
  /** Of activations: f32, or f16 with stored weights, sums, embeddings and losses in f32 (f32). */
  readonly precision?: TrainingPrecision;
  readonly data?: TrainingData;
  /**
   * A folder that `save` wrote: go on where it was, to the same bits. Settings must be those it had, but for rates and weights of
   * the losses (`lr`, `gLrScaling`, `dLrScaling`, `ctrlLrScaling`, `ganLossScaling`, `ganWarmupKimg`, `ganWarmupBatches`), which may change.
   */
  readonly resume?: string;
}

/** Images and draws of one round; what is absent is taken from the data or drawn. Levels: one per image. */
export interface DistillationRound {
  /** [N, C, H, W], in the networks' value range. */
  readonly images?: Float32Array;
  readonly labels?: Labels;
  /** Noise level of the condition. */
  readonly sigma?: ArrayLike<number>;
  /** Noise level of what score model, discriminator and teacher see. */
  readonly t?: ArrayLike<number>;
  /** Standard normal, [N, C, H, W]. */
  readonly yNoise?: Float32Array;
  readonly z?: Float32Array;
  /** Score model and generator. */
  readonly xtNoise?: Float32Array;
  /** Discriminator. */
  readonly realNoise?: Float32Array;
  readonly fakeNoise?: Float32Array;
}

export interface DistillationStep extends Partial<Record<DistilledNetwork, readonly DistillationRound[]>> {
  /** Also give what the first round of each network computed. */
  readonly record?: boolean;
}

export interface DistillationResult {
  /** Mean losses over images and entries, by network; of the last update's rounds, those computed here, averaged. */
  readonly losses: Record<string, number>;
  /** The learning rate of this iteration, that of the score model. */
  readonly lr: number;
  readonly images: number;
  readonly recorded?: Map<string, Float32Array>;
}

export const DISTILLATION_OPTIONS = {
  teacher: true,
  networks: true,
  config: true,
  batch: true,
  batchGpu: true,
  gamma: true,
  gLrScaling: true,
  dLrScaling: true,
  ctrlLrScaling: true,
  ganLossScaling: true,
  ganWarmupKimg: true,
  ganWarmupBatches: true,
  lossScaling: true,
  lossSigmaData: true,
  pMean: true,
  pStd: true,
  lr: true,
  emaStds: true,
  seed: true,
  workers: true,
  recompute: true,
  precision: true,
  data: true,
  resume: true,
} as const;

/** What can go on with its state. */
export const DISTILLATION = "distillation";

/** Short names of the networks in `recorded`. */
export const SHORT: Readonly<Record<DistilledNetwork, string>> = {
  score: "score",
  discriminator: "disc",
  generator: "gen",
};

export interface DistillationRun extends DistillationSettings {
  readonly gLrScaling: number;
  readonly dLrScaling: number;
  readonly ctrlLrScaling: number;
  readonly ganWarmupKimg: number;
  readonly ganWarmupBatches: number;
  readonly pMean: number;
  readonly pStd: number;
  readonly lr: LearningRate;
}

export function settingsOf(options: DistillationOptions, precision: TrainingPrecision): DistillationRun {
  const { lr } = options;
  const positive = {
    lossScaling: options.lossScaling ?? 1,
    lossSigmaData: options.lossSigmaData ?? 0.5,
    pStd: options.pStd ?? 1.6,
  };
  const others = {
    gamma: options.gamma ?? 0.414,
    gLrScaling: options.gLrScaling ?? 0.01,
    dLrScaling: options.dLrScaling ?? 0.01,
    ctrlLrScaling: options.ctrlLrScaling ?? 1,
    ganLossScaling: options.ganLossScaling ?? 1,
    ganWarmupKimg: options.ganWarmupKimg ?? 0,
    ganWarmupBatches: options.ganWarmupBatches ?? 0,
    "lr.refLr": lr?.refLr,
  };
  for (const [name, value] of Object.entries(positive))
    if (!(value > 0 && Number.isFinite(value)))
      throw bad(`openDistillation: ${name} must be a positive number, got ${value}.`);
  for (const [name, value] of Object.entries(others))
    if (!(value >= 0 && Number.isFinite(value)))
      throw bad(`openDistillation: ${name} must be a number of at least 0, got ${value}.`);
  if (others.ctrlLrScaling > 1)
    throw bad(`openDistillation: ctrlLrScaling must be a number from 0 to 1, got ${others.ctrlLrScaling}.`);
  const { pMean = -0.8 } = options;
  if (!Number.isFinite(pMean)) throw bad(`openDistillation: pMean must be a number, got ${pMean}.`);
  const { recompute = false } = options;
  const dropout = dropoutOf("openDistillation", options.config?.dropout);
  return {
    ...updateSizes("openDistillation", options),
    ...positive,
    ...others,
    pMean,
    lr,
    dropout,
    recompute,
    precision,
  };
}

/** What a state must agree with: all that the bits of a run hang on, but the adapter and what may change on the way. */
export function fixedSettings(
  config: NcvsdConfig,
  { batch, batchGpu, workers, gamma, lossScaling, lossSigmaData, pMean, pStd, dropout, precision }: DistillationRun,
  run: {
    readonly seed: number;
    readonly emaStds: readonly number[];
    readonly data: TrainingData | undefined;
    readonly teacher: ReadonlyMap<string, Float32Array>;
  },
): StateSettings {
  const sum = new Sha256();
  for (const [name, values] of run.teacher) {
    sum.update(new TextEncoder().encode(name));
    sum.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return {
    config: { ...config, ...(dropout > 0 && { dropout }) },
    ...{ batch, batchGpu, workers, gamma, lossScaling, lossSigmaData, pMean, pStd },
    ...{ emaStds: run.emaStds, seed: run.seed, data: run.data?.fingerprint ?? null, teacher: sum.hex() },
    ...(precision !== "f32" && { precision }),
  };
}

export function ratesOf({
  lr,
  gLrScaling,
  dLrScaling,
  ctrlLrScaling,
  ganLossScaling,
  ganWarmupKimg,
  ganWarmupBatches,
}: DistillationRun) {
  return {
    lr: { ...completeRate(lr) },
    gLrScaling,
    dLrScaling,
    ctrlLrScaling,
    ganLossScaling,
    ganWarmupKimg,
    ganWarmupBatches,
  };
}
