import { read, update } from "../../lib/buffers.js";
import { fail, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { lanesOf } from "../../lib/lanes.js";
import source from "./kernel.wgsl.js";
import { reference, type SetDistancesParams } from "./reference.js";

/** x [rows, dims] and points [count, dims] to columns of squares [rows, stride]. */
export const setDistances = elementwise<SetDistancesParams>({
  name: "set-distances",
  group: "priors",
  source,
  counts: ({ rows, count, dims, stride }) => ({ rows, count, dims, stride }),
  check({ first, count, stride }) {
    nonNegativeInteger("set-distances", "first", first);
    if (first + count > stride) fail("set-distances", `first + count must be at most stride ${stride}`, first + count);
  },
  threads: ({ rows, count }) => rows * count,
  buffers({ rows, count, dims, stride, product }) {
    const centre = read("centre", product ? rows * dims : 0);
    return [read("x", rows * dims), read("points", count * dims), centre, update("squares", rows * stride)];
  },
  prelude({ dims }) {
    if (lanesOf(dims) === 1) return "alias F = f32;\nfn across(v: F) -> f32 { return v; }";
    return "alias F = vec4f;\nfn across(v: F) -> f32 { return (v.x + v.y) + (v.z + v.w); }";
  },
  uniforms: ({ dims }) => ({ dims: dims / lanesOf(dims) }),
  flags: ({ product, dims }) => ({ PRODUCT: product, QUADS: lanesOf(dims) === 4 }),
  flops: ({ rows, count, dims }) => 3 * rows * count * dims,
  reference,
  cases: [
    { name: "one value", params: { rows: 1, count: 1, dims: 1, first: 0, stride: 1, product: false } },
    { name: "columns of a longer row", params: { rows: 3, count: 7, dims: 33, first: 4, stride: 12, product: false } },
    { name: "products", params: { rows: 2, count: 5, dims: 70, first: 1, stride: 6, product: true } },
    { name: "products in fours", params: { rows: 3, count: 4, dims: 36, first: 0, stride: 4, product: true } },
    {
      name: "a row beside its point",
      params: { rows: 1, count: 3, dims: 256, first: 0, stride: 3, product: false },
      inputs: (name, length) =>
        name === "squares"
          ? undefined
          : Float32Array.from({ length }, (_, i) => 1 + (name === "x" ? 1e-4 : 0) * (i % 7)),
    },
    { name: "a set", params: { rows: 8, count: 1500, dims: 256, first: 0, stride: 1500, product: false } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
