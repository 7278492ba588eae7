import { shuffled } from "../../random/uniforms.js";
import { operators } from "../operators.js";
import { zeroFilled } from "../simple.js";
import { OWN_PRESET, SEED } from "./common.js";
import { task } from "./task.js";

/** Some rows of the Hadamard transform: a single-pixel camera. */
export const hadamard = task({
  preset: OWN_PRESET,
  baselines: zeroFilled,
  scale: "linear",
  flags: {
    order: {
      option: "--order <name>",
      help: "hadamard: in which order rows are kept: natural, sequency, zigzag, xy, cakecutting, random (default: sequency)",
      value: { choice: ["sequency", "natural", "zigzag", "xy", "cakecutting", "random"] },
    },
    ratio: {
      option: "--ratio <x>",
      help: "hadamard: how many times fewer values than pixels (default: 4)",
      value: { number: { min: 1 } },
    },
    orderSeed: { option: "--order-seed <n>", help: "hadamard: of the order random (default: 0)", value: SEED },
  },
  make(gpu, shape, { order = "sequency", ratio = 4, orderSeed = 0 }) {
    const [channels, h, w] = shape;
    const count = Math.floor((h * w) / ratio);
    const operator =
      order === "random"
        ? operators.hadamard(gpu, { shape, indices: shuffled(h * w, orderSeed).subarray(0, count) })
        : operators.hadamard(gpu, { shape, order, ratio });
    return {
      operator,
      // Magnitudes at their places in the transform.
      show(y) {
        const values = new Float32Array(channels * h * w);
        operator.indices.forEach((at, i) => {
          for (let c = 0; c < channels; c++) values[c * h * w + at] = y[c * operator.indices.length + i]!;
        });
        return { values, shape, logarithmic: true };
      },
      description: `${count} of ${h * w} rows of the Hadamard transform, order ${order}`,
      options: { order, ratio, ...(order === "random" ? { orderSeed } : {}) },
    };
  },
});
