import type { Architecture } from "../../networks/edm2/arguments.js";
import type { Denoiser, GenerativeDenoiser, Labels } from "../../networks/session.js";
import type { Operator } from "../../operators/operator.js";
import type { Run } from "../run.js";
import type { SamplerFlag, Settings } from "../samplers.js";

/** An option of `restore` that sets a setting. */
export interface SettingFlag {
  /** The setting, nested ones by their path: "lambda", "ode.steps". */
  readonly setting: string;
  /** "--ode-steps <n>" */
  readonly option: string;
  readonly help: string;
  readonly value:
    | SamplerFlag["value"]
    /** Words, and the value that each stands for. */
    | { readonly choice: Readonly<Record<string, unknown>> }
    /** Positive numbers, and their names in the setting. */
    | { readonly numbers: readonly string[] }
    /** A switch. */
    | { readonly is: boolean };
}

/** What a sampler's settings are completed for. */
export interface Case {
  readonly operator: Operator;
  /** G takes the place of D. */
  readonly generative: boolean;
}

/** One measurement problem, checked, made ready for a sampler. */
export interface Problem extends Case {
  /** With openDenoiser, or, where `generative`, with openGenerator. */
  readonly model: Denoiser & GenerativeDenoiser;
  /** batch * measurementShape values. */
  readonly y: Float32Array;
  /** Standard deviation of the measurement noise with images on [-1, 1]. */
  readonly sigmaY: number;
  readonly labels: Labels | undefined;
  /** When values stop being finite, name the network's node. */
  readonly debug: boolean;
  /** To be called after every level. */
  step(level: Level): Promise<void>;
}

/** What there is to see after a level. */
export interface Level {
  /** 1-based. */
  readonly step: number;
  readonly steps: number;
  /** Level, or coupling, of the step. */
  readonly sigma: number;
  /** The present estimate of x0. */
  readonly preview: GPUBuffer;
  /** What the network gave. */
  readonly sample: GPUBuffer;
  /** The state that the next level starts from. */
  readonly next?: GPUBuffer | undefined;
  /** What is to be found out when the level's work is done (`Run.step`). */
  readonly check?: (() => Promise<void>) | undefined;
}

/** One line of the table: everything that the library, commands, records and reports know of a posterior sampler. */
export interface PosteriorSampler {
  readonly name: string;
  /** For lists: whose it is and what it does. */
  readonly title: string;
  /** "edm2": takes D of a teacher, "ncvsd": takes G of a generative denoiser. */
  readonly architectures: readonly Architecture[];
  /** Every setting with its default; null: none, or what others tell. */
  readonly settings: Settings;
  readonly flags: readonly SettingFlag[];
  /** What the sampler needs of an operator and this one lacks, for a message; undefined: nothing. */
  lacks(operator: Operator): string | undefined;
  /**
   * Settings as a run has them: what is given, checked, and else the defaults for this case; as JSON has them.
   * @throws NcvsdError BAD_ARGUMENT
   */
  complete(given: Settings, of: Case): Settings;
  /** Network evaluations per image. */
  evaluations(settings: Settings): number;
  /** Vector-Jacobian products per image. */
  derivatives(settings: Settings): number;
  /** Calls of `noise`; likelihood steps that take two draws count as one. */
  draws(settings: Settings, of: Case): number;
  /** @param settings complete ones. @returns the images, [N, C, H, W] */
  run(run: Run, problem: Problem, settings: Settings): Promise<GPUBuffer>;
}
