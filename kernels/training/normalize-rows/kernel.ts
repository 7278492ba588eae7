import { STATE_CONSTANTS, stateLength } from "../../lib/bank-rows.js";
import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type NormalizeRowsParams, reference } from "./reference.js";

/** Divides the rows of a bank's weights by eps + their RMS, in their factors. */
export const normalizeRows = elementwise<NormalizeRowsParams>({
  name: "normalize-rows",
  group: "training",
  source,
  counts: ({ rows }) => ({ rows }),
  prelude: () => STATE_CONSTANTS,
  buffers: (_, rows) => [read("table", 4 * rows, "u32"), update("state", stateLength(rows))],
  flops: (_, rows) => 3 * rows,
  reference,
  cases: [
    { name: "one row", params: { rows: 1 }, inputs: rows(() => 1.7) },
    {
      name: "rows of zeros, small and large ones",
      params: { rows: 67 },
      inputs: rows((i) => [0, 1e-4, 3e4, 1][i % 4]!),
    },
    { name: "a network's", params: { rows: 20_000 }, inputs: rows((i) => 0.5 + (i % 10) / 10) },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});

/** Every fifth is no weight's. */
function rows(rms: (i: number) => number) {
  return (name: string, length: number, random: () => number): Float32Array | Uint32Array | undefined => {
    if (name === "table") return Uint32Array.from({ length }, (_, i) => Number(i % 4 === 3 && i % 20 !== 19));
    return Float32Array.from({ length }, (_, i) => (i >= 12 && i % 4 === 0 ? rms((i - 12) / 4) : random()));
  };
}
