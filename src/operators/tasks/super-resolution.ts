import { bicubic } from "../baselines.js";
import { operators } from "../operators.js";
import { ALWAYS, ANNEALING, authors, checkFactor, ULA } from "./common.js";
import { task } from "./task.js";

/** Antialiased bicubic reduction. */
export const superResolution = task({
  preset: { ...ANNEALING, beta: 1e-3, emaSigma: ALWAYS, emaDecay: 0.6, ula: ULA },
  baselines: bicubic,
  samplers: authors({ strength: 0.3, step: 1e-4, hmc: [12, 1.04e-4, 0.012, 0.9] }),
  flags: {
    factor: {
      option: "--factor <n>",
      help: "super_resolution: 2, 4, 8 or 16 (default: 4)",
      value: { choice: [2, 4, 8, 16] },
    },
  },
  make(gpu, shape, { factor = 4 }) {
    const [, h, w] = shape;
    checkFactor(factor, shape);
    return {
      operator: operators.superResolution(gpu, { shape, factor }),
      description: `bicubic ${factor}x downsampling, ${w}x${h} to ${w / factor}x${h / factor}`,
      options: { factor },
    };
  },
});
