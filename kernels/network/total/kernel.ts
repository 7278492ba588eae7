import type { Kernel } from "../../../src/gpu/contract.js";
import { addressable, fail, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { reference, type TotalParams } from "./reference.js";

/** x [count] to y [length], all zero but for the sum. */
export const total: Kernel<TotalParams> = {
  name: "total",
  source: [...summing(64), { file: "kernels/network/total/kernel.wgsl", text: source }],
  check({ count, index, length }) {
    positiveInteger("total", "count", count);
    positiveInteger("total", "length", length);
    nonNegativeInteger("total", "index", index);
    if (index >= length) fail("total", `index must be less than the length, ${length}`, index);
    addressable("total", "x", count);
  },
  buffers: ({ count, length }) => [
    { name: "x", access: "read", type: "f32", length: count },
    { name: "y", access: "write", type: "f32", length },
  ],
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ count, index, length }) => ({ workgroups: 1, count, index, len: length }),
  grid: () => [1, 1, 1],
  cost: ({ count, length }) => ({ flops: count, bytes: 4 * (count + length) }),
  reference,
  cases: [
    { name: "one value", params: { count: 1, index: 0, length: 1 } },
    { name: "odd count, third of five", params: { count: 77, index: 2, length: 5 } },
    { name: "many values, long result", params: { count: 3001, index: 70, length: 71 } },
    { name: "rows of a wide layer", params: { count: 768, index: 0, length: 1 } },
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};
