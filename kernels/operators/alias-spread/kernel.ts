import { read, write } from "../../lib/buffers.js";
import { multipleOf } from "../../lib/check.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AliasSpreadParams, reference } from "./reference.js";

/** The adjoint of a blur that keeps every f-th pixel, on half spectra. */
export const aliasSpread = elementwise<AliasSpreadParams>({
  name: "alias-spread",
  group: "operators",
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  counts: ({ planes, rows, columns, factor }) => ({ planes, rows, columns, factor }),
  check({ rows, columns, factor }) {
    multipleOf("alias-spread", "rows", rows, factor);
    multipleOf("alias-spread", "columns", columns, factor);
  },
  threads: ({ planes, rows, columns }) => planes * rows * (Math.floor(columns / 2) + 1),
  buffers: ({ planes, rows, columns, factor }, n) => [
    read("x", 2 * planes * (rows / factor) * (Math.floor(columns / factor / 2) + 1)),
    read("transfer", (2 * n) / planes),
    write("y", 2 * n),
  ],
  flops: (_, n) => 6 * n,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1 } },
    { name: "odd sizes", params: { planes: 2, rows: 9, columns: 15, factor: 3 } },
    { name: "odd measurement of an even picture", params: { planes: 3, rows: 6, columns: 20, factor: 2 } },
    { name: "images", params: { planes: 6, rows: 64, columns: 64, factor: 4 } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
