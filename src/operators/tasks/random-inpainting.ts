import { operators } from "../operators.js";
import { BOX_PRESET, INPAINTING, MASK, maskedBy, SEED } from "./common.js";
import { task } from "./task.js";

/** Scattered pixels are known. */
export const randomInpainting = task({
  ...INPAINTING,
  preset: BOX_PRESET,
  // With the box's settings the scattered pixels hardly enter (its schedule has six levels below 1) and their noise stays:
  // more low levels and a beta near twice the noise's variance serve better.
  settings: { ...BOX_PRESET, rho: 7, beta: 2e-3 },
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
