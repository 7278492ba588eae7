import { read, update, write } from "../../lib/buffers.js";
import { fail, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf } from "../../lib/lanes.js";
import source from "./kernel.wgsl.js";
import { reference, type WeightedMeanParams } from "./reference.js";

/** w [rows, stride] and points [count, dims] to weighted sums y [rows, dims]. */
export const weightedMean = elementwise<WeightedMeanParams>({
  name: "weighted-mean",
  group: "priors",
  source,
  counts: ({ rows, count, dims, stride }) => ({ rows, count, dims, stride }),
  check({ first, count, stride }) {
    nonNegativeInteger("weighted-mean", "first", first);
    if (first + count > stride) fail("weighted-mean", `first + count must be at most stride ${stride}`, first + count);
  },
  threads: ({ rows, dims }) => (rows * dims) / lanesOf(dims),
  buffers({ rows, count, dims, stride, add }) {
    const y = add ? update("y", rows * dims) : write("y", rows * dims);
    return [read("w", rows * stride), read("points", count * dims), y];
  },
  prelude: ({ dims }) => `alias F = ${lanesOf(dims) === 4 ? "vec4f" : "f32"};`,
  uniforms: ({ dims }) => ({ dims: dims / lanesOf(dims) }),
  flags: ({ add, dims }) => ({ ADD: add, QUADS: lanesOf(dims) === 4 }),
  flops: ({ rows, count, dims }) => 2 * rows * count * dims,
  reference,
  cases: [
    { name: "one value", params: { rows: 1, count: 1, dims: 1, first: 0, stride: 1, add: false } },
    { name: "some of the weights", params: { rows: 3, count: 7, dims: 33, first: 4, stride: 12, add: false } },
    { name: "onto what is there", params: { rows: 2, count: 300, dims: 5, first: 0, stride: 301, add: true } },
    {
      name: "a single weight",
      params: { rows: 2, count: 40, dims: 9, first: 0, stride: 40, add: false },
      inputs: (name, length) =>
        name === "w" ? Float32Array.from({ length }, (_, i) => (i % 40 === 13 ? 1 : 0)) : undefined,
    },
    { name: "a set", params: { rows: 8, count: 1500, dims: 256, first: 0, stride: 1500, add: false } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
