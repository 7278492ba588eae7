import { operators } from "../operators.js";
import { spread } from "../simple.js";
import { ANNEALING, checkFactor } from "./common.js";
import { task } from "./task.js";

/** Means of blocks; "svd" since others have it by a singular value decomposition. */
export const superResolutionSvd = task({
  preset: { ...ANNEALING, beta: 1e-3, emaSigma: 0.2, emaDecay: 0.7 },
  baselines: spread("blocks"),
  flags: {
    factor: {
      option: "--factor <n>",
      help: "super_resolution_svd: side of the blocks (default: 4)",
      value: { integer: { min: 2, max: 256 } },
    },
  },
  make(gpu, shape, { factor = 4 }) {
    const [, h, w] = shape;
    checkFactor(factor, shape);
    return {
      operator: operators.averaging(gpu, { shape, factor }),
      description: `means of ${factor}x${factor} pixels, ${w}x${h} to ${w / factor}x${h / factor}`,
      options: { factor },
    };
  },
});
