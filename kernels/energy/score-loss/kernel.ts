import { read, write } from "../../lib/buffers.js";
import { fail } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type ScoreLossParams } from "./reference.js";

/** o and goal [rows, dims], weight [rows], to the loss's gradient by o and each row's share of the loss. */
export const scoreLoss = elementwise<ScoreLossParams>({
  name: "score-loss",
  group: "energy",
  source,
  counts: ({ rows, dims }) => ({ rows, dims }),
  check({ rows, columns = rows }) {
    if (columns < rows) fail("score-loss", `columns must be at least rows (${rows})`, columns);
  },
  threads: ({ rows, columns }) => columns ?? rows,
  buffers: ({ rows, dims, columns }) => [
    read("o", rows * dims),
    read("goal", rows * dims),
    read("weight", rows),
    write("r", (columns ?? rows) * dims),
    write("loss", rows),
  ],
  flags: ({ columns }) => ({ APART: columns !== undefined }),
  flops: ({ rows, dims }) => 6 * rows * dims,
  reference,
  cases: [
    { name: "one value", params: { rows: 1, dims: 1 } },
    { name: "rows", params: { rows: 67, dims: 5 } },
    { name: "columns past the last row", params: { rows: 67, dims: 3, columns: 128 } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
