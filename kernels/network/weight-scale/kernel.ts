import type { Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { ROW_CASES, type WeightRows, weightRows } from "../../lib/weight-rows.js";
import source from "./kernel.wgsl.js";
import { reference } from "./reference.js";

/** Of an MPConv's weight w [rows, fanIn] what makes it the effective one, row by row: y [rows]. All f32. */
export const weightScale: Kernel<WeightRows> = {
  ...weightRows("weight-scale", source, "f32"),
  buffers: ({ rows, fanIn, gained }) => [read("w", rows * fanIn), read("gain", gained ? 1 : 0), write("y", rows)],
  cost: ({ rows, fanIn }) => ({ flops: 2 * rows * fanIn, bytes: 4 * rows * fanIn + 4 * rows }),
  reference,
  cases: [
    { name: "one row of two", params: { rows: 1, fanIn: 2, gained: true, factor: 1 } },
    { name: "odd sizes", params: { rows: 7, fanIn: 37, gained: true, factor: 0.7 } },
    ...ROW_CASES,
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};
