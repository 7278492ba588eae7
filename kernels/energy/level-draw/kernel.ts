import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import { noiseParts } from "../../lib/philox.js";
import source from "./kernel.wgsl.js";
import { type LevelDrawParams, reference } from "./reference.js";

/** A label and a uniform value for every row of a step. */
export const levelDraw = elementwise<LevelDrawParams>({
  name: "level-draw",
  group: "energy",
  source,
  parts: noiseParts,
  counts: ({ rows, levels }) => ({ rows, levels }),
  threads: ({ rows }) => rows,
  buffers: ({ rows }) => [read("step", 1, "u32"), write("labels", rows), write("u", rows)],
  flops: () => 0,
  reference,
  cases: [
    { name: "one row", params: { rows: 1, levels: 2, seed: 0 } },
    { name: "rows", params: { rows: 1000, levels: 100, seed: 0xffffffff } },
  ].map((test, i) => ({
    ...test,
    inputs: (name: string) => (name === "step" ? Uint32Array.of(70_000 * i + 1) : undefined),
  })),
  tolerance: { f32: 1e-7, f16: 1e-7 },
});
