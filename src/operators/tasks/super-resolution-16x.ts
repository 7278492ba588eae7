import { bicubic } from "../baselines.js";
import { operators } from "../operators.js";
import { ANNEALING, checkFactor, ULA } from "./common.js";
import { task } from "./task.js";

/** Antialiased bicubic reduction by 16, as the reference has had it. */
export const superResolution16x = task({
  preset: { ...ANNEALING, beta: 5e-3, emaSigma: 0.2, emaDecay: 0.6, ula: { ...ULA, c2: 0.01 } },
  baselines: bicubic,
  flags: {},
  make(gpu, shape) {
    const [, h, w] = shape;
    const factor = 16;
    checkFactor(factor, shape);
    return {
      operator: operators.superResolution(gpu, { shape, factor }),
      description: `bicubic ${factor}x downsampling, ${w}x${h} to ${w / factor}x${h / factor}`,
      options: { factor },
    };
  },
});
