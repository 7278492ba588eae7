import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { addressable, multipleOf, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type RowSumsParams, reference } from "./reference.js";

/** x [rows][columns] to the sums of its rows, y. */
export const rowSums: Kernel<RowSumsParams> = {
  name: "row-sums",
  source: [...summing(), { file: "kernels/energy/row-sums/kernel.wgsl", text: source }],
  check({ rows, columns }) {
    positiveInteger("row-sums", "rows", rows);
    positiveInteger("row-sums", "columns", columns);
    multipleOf("row-sums", "columns", columns, 4);
    addressable("row-sums", "x", rows, columns);
  },
  buffers: ({ rows, columns }) => [read("x", rows * columns), write("y", rows)],
  variant: (_params, caps) => ({ key: "", prelude: summingSize(caps).prelude }),
  uniforms: ({ rows, columns }) => ({ workgroups: rows, quads: columns / 4 }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  cost: ({ rows, columns }) => ({ flops: rows * columns, bytes: 4 * rows * (columns + 1) }),
  reference,
  cases: [
    { name: "one quad", params: { rows: 1, columns: 4 } },
    { name: "odd rows", params: { rows: 13, columns: 100 } },
    { name: "a layer", params: { rows: 128, columns: 1024 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
