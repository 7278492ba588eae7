import type { Measured } from "../baselines.js";
import { operators } from "../operators.js";
import { ANNEALING, authors, ULA } from "./common.js";
import { task } from "./task.js";

/** An exposure that is too long: what is brighter or darker than 1 / scale is clipped. */
export const highDynamicRange = task({
  preset: { ...ANNEALING, steps: 100, beta: 1e-4, emaSigma: 0, emaDecay: 0.6, ula: { ...ULA, c2: 1 } },
  samplers: authors({ step: 2e-5, hmc: [100, 2.18e-5, 0.013, 0.23] }),
  baselines: async ({ y }: Measured) => ({ measurement: y }),
  flags: {
    scale: {
      option: "--scale <x>",
      help: "high_dynamic_range: how much too long (default: 2)",
      value: { number: { above: 0, max: 1000 } },
    },
  },
  make: (gpu, shape, { scale = 2 }) => ({
    operator: operators.hdr(gpu, { shape, scale }),
    description: `brightness times ${scale}, clipped`,
    options: { scale },
  }),
});
