import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update, write } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summingSize } from "../../lib/entry.js";
import expFine from "../../lib/exp.wgsl.js";
import math from "../../lib/math.wgsl.js";
import workgroups from "../../lib/workgroups.wgsl.js";
import source from "./kernel.wgsl.js";
import { reference, type SoftmaxRowsParams } from "./reference.js";

/** Rows of logits, or of squared distances at a noise level, to weights that sum to 1, in place; their log sums. */
export const softmaxRows: Kernel<SoftmaxRowsParams> = {
  name: "softmax-rows",
  source: [
    { file: "kernels/lib/exp.wgsl", text: expFine },
    { file: "kernels/lib/math.wgsl", text: math },
    { file: "kernels/lib/workgroups.wgsl", text: workgroups },
    { file: "kernels/priors/softmax-rows/kernel.wgsl", text: source },
  ],
  check({ rows, count }) {
    positiveInteger("softmax-rows", "rows", rows);
    positiveInteger("softmax-rows", "count", count);
    addressable("softmax-rows", "w", rows, count);
  },
  buffers: ({ rows, count }) => [update("w", rows * count), read("sigma", rows), write("total", rows)],
  variant({ squares }, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: `${size}${squares ? " squares" : ""}`, prelude: `${prelude}const SQUARES: bool = ${squares};\n` };
  },
  uniforms: ({ rows, count }) => ({ workgroups: rows, count }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  cost: ({ rows, count }) => ({ flops: 40 * rows * count, bytes: 12 * rows * count + 8 * rows }),
  reference,
  cases: [
    { name: "one value", params: { rows: 1, count: 1, squares: false } },
    { name: "odd length", params: { rows: 3, count: 131, squares: false } },
    {
      name: "squares at many levels",
      params: { rows: 4, count: 77, squares: true },
      inputs: (name, length, random) =>
        Float32Array.from({ length }, (_, i) => (name === "sigma" ? [0.01, 0.3, 2, 80][i]! : 3 + 2 * random() ** 2)),
    },
    {
      name: "logits far below zero",
      params: { rows: 2, count: 40, squares: false },
      inputs: (_name, length, random) => Float32Array.from({ length }, () => -4096 + 20 * random()),
    },
    { name: "a set", params: { rows: 8, count: 60000, squares: false } },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
