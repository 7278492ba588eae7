import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, finiteNumber, positiveInteger } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { reference, type SumRowsParams } from "./reference.js";

/** x [rows, count] to y [rows], sums times a factor. All f32. */
export const sumRows: Kernel<SumRowsParams> = {
  name: "sum-rows",
  source: [...summing(64), { file: "kernels/training/sum-rows/kernel.wgsl", text: source }],
  check({ rows, count, factor }) {
    positiveInteger("sum-rows", "rows", rows);
    positiveInteger("sum-rows", "count", count);
    finiteNumber("sum-rows", "factor", factor);
    addressable("sum-rows", "x", rows, count);
  },
  buffers: ({ rows, count }) => [read("x", rows * count), write("y", rows)],
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ rows, count, factor }) => ({ workgroups: rows, count, factor }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  cost: ({ rows, count }) => ({ flops: rows * count, bytes: 4 * rows * (count + 1) }),
  reference,
  cases: [
    { name: "one value", params: { rows: 1, count: 1, factor: 1 } },
    { name: "odd sizes", params: { rows: 3, count: 77, factor: -0.25 } },
    { name: "more rows than a workgroup", params: { rows: 131, count: 5, factor: 3 } },
    { name: "long rows", params: { rows: 4, count: 3001, factor: 1 / 2048 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
