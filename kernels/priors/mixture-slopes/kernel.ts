import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type MixtureSlopesParams, reference } from "./reference.js";

/** Directions v [rows, dims] to coordinates a [rows, parts, dims], and slopes [rows, parts] of a mixture's logits along them. */
export const mixtureSlopes: Kernel<MixtureSlopesParams> = {
  name: "mixture-slopes",
  source: [...summing(), { file: "kernels/priors/mixture-slopes/kernel.wgsl", text: source }],
  check({ rows, parts, dims }) {
    positiveInteger("mixture-slopes", "rows", rows);
    positiveInteger("mixture-slopes", "parts", parts);
    positiveInteger("mixture-slopes", "dims", dims);
    addressable("mixture-slopes", "t", rows, parts, dims);
    addressable("mixture-slopes", "vectors", parts, dims, dims);
  },
  buffers({ rows, parts, dims }) {
    return [
      read("v", rows * dims),
      read("sigma", rows),
      read("t", rows * parts * dims),
      read("vectors", parts * dims * dims),
      read("values", parts * dims),
      write("a", rows * parts * dims),
      write("slopes", rows * parts),
    ];
  },
  variant(_, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}`, prelude };
  },
  uniforms: ({ rows, parts, dims }) => ({ workgroups: rows * parts, parts, dims }),
  grid: ({ rows, parts }, _variant, caps) => grid1d(rows * parts, 1, caps),
  cost({ rows, parts, dims }) {
    const kept = rows * dims + rows + parts * dims * (dims + 1) + rows * parts * (2 * dims + 1);
    return { flops: rows * parts * dims * (2 * dims + 4), bytes: 4 * kept };
  },
  reference,
  cases: [
    { name: "one value", params: { rows: 1, parts: 1, dims: 1 }, inputs: mixture([0.5]) },
    { name: "odd sizes at many levels", params: { rows: 4, parts: 3, dims: 13 }, inputs: mixture([0.1, 0.3, 2, 80]) },
    { name: "more dimensions than a workgroup", params: { rows: 2, parts: 2, dims: 150 }, inputs: mixture([0.3, 5]) },
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
};

/** Levels in turn, eigenvalues that aren't negative; the vectors needn't be orthogonal for this. */
function mixture(levels: readonly number[]) {
  return (name: string, length: number, random: () => number) => {
    if (name === "sigma") return Float32Array.from({ length }, (_, i) => levels[i % levels.length]!);
    return name === "values" ? Float32Array.from({ length }, () => random() ** 2) : undefined;
  };
}
