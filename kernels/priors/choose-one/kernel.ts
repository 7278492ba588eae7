import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summingSize } from "../../lib/entry.js";
import { noiseParts } from "../../lib/philox.js";
import workgroups from "../../lib/workgroups.wgsl.js";
import source from "./kernel.wgsl.js";
import { type ChooseOneParams, reference } from "./reference.js";

/** Rows of weights [rows, count] to a single 1 in each, drawn by what the rows of z [rows, dims] decide. */
export const chooseOne: Kernel<ChooseOneParams> = {
  name: "choose-one",
  source: [
    ...noiseParts,
    { file: "kernels/lib/workgroups.wgsl", text: workgroups },
    { file: "kernels/priors/choose-one/kernel.wgsl", text: source },
  ],
  check({ rows, count, dims }) {
    positiveInteger("choose-one", "rows", rows);
    positiveInteger("choose-one", "count", count);
    positiveInteger("choose-one", "dims", dims);
    addressable("choose-one", "w", rows, count);
    addressable("choose-one", "z", rows, dims);
  },
  buffers: ({ rows, count, dims }) => [update("w", rows * count), read("z", rows * dims)],
  variant(_, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}`, prelude };
  },
  uniforms: ({ rows, count, dims }) => ({ workgroups: rows, count, dims }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  cost: ({ rows, count, dims }) => ({
    flops: 2 * rows * count,
    bytes: 12 * rows * count + 4 * rows * Math.min(dims, 6),
  }),
  reference,
  cases: [
    { name: "one weight", params: { rows: 3, count: 1, dims: 1 }, inputs: weights(() => 0.25) },
    { name: "weights of zero are never drawn", params: { rows: 40, count: 9, dims: 2 }, inputs: weights((i) => i % 3) },
    {
      name: "all at the end",
      params: { rows: 5, count: 131, dims: 70 },
      inputs: weights((i) => Number(i % 131 === 130)),
    },
    { name: "a set", params: { rows: 8, count: 3000, dims: 256 }, inputs: weights((i) => ((i * 37) % 11) / 16384) },
  ],
  tolerance: { f32: 0, f16: 0 },
};

function weights(weight: (i: number) => number) {
  return (name: string, length: number) =>
    name === "w" ? Float32Array.from({ length }, (_, i) => weight(i)) : undefined;
}
