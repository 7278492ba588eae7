import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { reference, type TiltWeightsParams } from "./reference.js";

/** Weights w and slopes s of their logits, both [rows, count], to the weights' derivative, in place of the slopes. */
export const tiltWeights: Kernel<TiltWeightsParams> = {
  name: "tilt-weights",
  source: [...summing(), { file: "kernels/priors/tilt-weights/kernel.wgsl", text: source }],
  check({ rows, count }) {
    positiveInteger("tilt-weights", "rows", rows);
    positiveInteger("tilt-weights", "count", count);
    addressable("tilt-weights", "w", rows, count);
  },
  buffers({ rows, count, levels }) {
    return [read("w", rows * count), read("sigma", levels ? rows : 0), update("s", rows * count)];
  },
  variant({ levels }, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}${levels ? " levels" : ""}`, prelude: `${prelude}const LEVELS: bool = ${levels};\n` };
  },
  uniforms: ({ rows, count }) => ({ workgroups: rows, count }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  cost: ({ rows, count }) => ({ flops: 5 * rows * count, bytes: 12 * rows * count + 4 * rows }),
  reference,
  cases: [
    { name: "one value", params: { rows: 1, count: 1, levels: false }, inputs: weights(1) },
    { name: "odd length", params: { rows: 3, count: 131, levels: false }, inputs: weights(131) },
    { name: "divided by levels", params: { rows: 4, count: 20, levels: true }, inputs: weights(20) },
    { name: "a set", params: { rows: 8, count: 3000, levels: true }, inputs: weights(3000) },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

/** Weights that sum to 1, by their squares; levels from 0.1 on. */
function weights(count: number) {
  return (name: string, length: number, random: () => number) => {
    if (name === "sigma") return Float32Array.from({ length }, (_, i) => 0.1 * 3 ** i);
    if (name !== "w") return undefined;
    const squares = Float64Array.from({ length }, () => random() ** 2);
    return Float32Array.from(squares, (v, i) => {
      const row = Math.floor(i / count) * count;
      return v / squares.subarray(row, row + count).reduce((a, b) => a + b, 0);
    });
  };
}
