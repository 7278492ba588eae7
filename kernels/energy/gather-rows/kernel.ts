import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { type GatherRowsParams, reference } from "./reference.js";

/** Rows of data, drawn with replacement. */
export const gatherRows = elementwise<GatherRowsParams>({
  name: "gather-rows",
  group: "energy",
  source,
  parts: noiseParts,
  counts: ({ rows, dims, points }) => ({ rows, dims, points }),
  threads: ({ rows }) => Math.ceil(rows / 4),
  buffers: ({ rows, dims, points }) => [
    read("data", points * dims),
    read("step", 1, "u32"),
    write("keys", rows * dims),
  ],
  flops: () => 0,
  reference,
  cases: [
    { name: "one row", params: { rows: 1, dims: 1, points: 5, seed: 3 } },
    { name: "odd rows", params: { rows: 333, dims: 3, points: 1001, seed: 4 } },
  ].map((test) => ({
    ...test,
    inputs: (name: string) => (name === "step" ? Uint32Array.of(99) : undefined),
  })),
  tolerance: { f32: 0, f16: 0 },
});
