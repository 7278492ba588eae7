import { operators } from "../operators.js";
import { ANNEALING, authors, BOX_PRESET, INPAINTING, MASK, maskedBy, SEED } from "./common.js";
import { type TaskPreset, task } from "./task.js";

/** From the history of the reference's repository, which had the task before the paper. */
export const REFERENCE_PRESET: TaskPreset = { ...ANNEALING, rho: 7, beta: 2e-3, emaSigma: 0.2, emaDecay: 0.6 };

/** Scattered pixels are known. */
export const randomInpainting = task({
  ...INPAINTING,
  preset: BOX_PRESET,
  // With the box's settings the scattered pixels hardly enter (its schedule has six levels below 1) and their noise stays:
  // more low levels and a beta near twice the noise's variance serve better.
  settings: { paper: { ...BOX_PRESET, rho: 7, beta: 2e-3 }, reference: REFERENCE_PRESET },
  samplers: authors({ lambda: 0.25, strength: 0.5, step: 1e-4, hmc: [11, 3.56e-5, 0.015, 0.8] }),
  flags: {
    mask: MASK,
    fraction: {
      option: "--fraction <x>",
      help: "random_inpainting: share of missing pixels (default: 0.7)",
      value: { number: { min: 0, max: 1 } },
    },
    maskSeed: { option: "--mask-seed <n>", help: "random_inpainting: which pixels (default: 0)", value: SEED },
  },
  make(gpu, shape, { mask, fraction = 0.7, maskSeed = 0 }) {
    if (mask) return maskedBy(gpu, shape, mask);
    return {
      operator: operators.inpainting(gpu, { shape, fraction, seed: maskSeed }),
      description: `${(fraction * 100).toFixed(0)}% of the pixels missing`,
      options: { fraction, maskSeed },
    };
  },
});
