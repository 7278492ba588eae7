import type { UlaOptions } from "../sample/langevin.js";

/** Names of the reference's tasks. */
export type TaskName =
  | "box_inpainting"
  | "random_inpainting"
  | "gaussian_deblur_circ"
  | "motion_deblur_circ"
  | "super_resolution"
  | "phase_retrieval";

/** Settings of PnP-GD for one task. */
export interface TaskPreset {
  readonly steps: number;
  readonly sigmaMax: number;
  readonly sigmaMin: number;
  /** Of the annealing schedule. */
  readonly rho: number;
  readonly beta: number;
  readonly emaSigma: number;
  readonly emaDecay: number;
  /** Only for the tasks without a closed form. */
  readonly ula?: Required<UlaOptions>;
  /** Measurement noise in the network's value range, in the paper's experiments. */
  readonly sigmaY: number;
}

const ANNEALING = { steps: 50, sigmaMax: 80, sigmaMin: 0.002, rho: 2, sigmaY: 0.05 };
const ULA = { c1: 0.1, c2: 0.1, steps: 100 };
const ALWAYS = Number.POSITIVE_INFINITY;

/**
 * The settings of Table 4 of the paper (NCVSD, appendix B.3), by task. Two entries are not in the table: the reference's
 * preset for motion deblurring has beta 3e-3 (the table says 4e-3), and random inpainting takes the settings of the box.
 */
export const presets: Readonly<Record<TaskName, TaskPreset>> = {
  box_inpainting: { ...ANNEALING, beta: 1e-4, emaSigma: ALWAYS, emaDecay: 0.2 },
  random_inpainting: { ...ANNEALING, beta: 1e-4, emaSigma: ALWAYS, emaDecay: 0.2 },
  gaussian_deblur_circ: { ...ANNEALING, beta: 2e-3, emaSigma: ALWAYS, emaDecay: 0.6 },
  motion_deblur_circ: { ...ANNEALING, beta: 3e-3, emaSigma: ALWAYS, emaDecay: 0.6 },
  super_resolution: { ...ANNEALING, beta: 1e-3, emaSigma: ALWAYS, emaDecay: 0.6, ula: ULA },
  phase_retrieval: { ...ANNEALING, beta: 1e-3, emaSigma: 0.2, emaDecay: 0.6, ula: ULA },
};
