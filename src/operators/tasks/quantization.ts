import { counted } from "../../errors.js";
import type { Measured } from "../baselines.js";
import { operators } from "../operators.js";
import { OWN_PRESET } from "./common.js";
import { task } from "./task.js";

const SIGMA = 0.01;

/** A few bits for every value. */
export const quantization = task({
  preset: { ...OWN_PRESET, sigmaY: SIGMA, beta: 2 * SIGMA ** 2 },
  baselines: async ({ y }: Measured) => ({ measurement: y }),
  noise: "inside",
  flags: {
    bits: {
      option: "--bits <n>",
      help: "quantization: for every value (default: 2)",
      value: { integer: { min: 1, max: 16 } },
    },
  },
  make(gpu, shape, { bits = 2 }) {
    const step = 2 / (2 ** bits - 1);
    return {
      operator: operators.quantization(gpu, { shape, bits }),
      // Of rounding, and of the noise before it.
      variance: (_, __, sigmaY) => sigmaY ** 2 + step ** 2 / 12,
      description: `${counted(bits, "bit")} for every value`,
      options: { bits },
    };
  },
});
