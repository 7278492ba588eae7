import type { Case, Kernel } from "../../../src/gpu/contract.js";
import {
  checkRange,
  rangeGrid,
  rangeUniforms,
  role,
  rowPrelude,
  STATE_HEAD,
  stateLength,
} from "../../lib/bank-rows.js";
import { read, update } from "../../lib/buffers.js";
import { positiveInteger } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type RowGradientsParams, reference } from "./reference.js";

/** Gradients of effective weights to those of stored ones, in place, and of their gains, row by row. All f32. */
export const rowGradients: Kernel<RowGradientsParams> = {
  name: "row-gradients",
  source: [...summing(), { file: "kernels/training/row-gradients/kernel.wgsl", text: source }],
  check(params) {
    checkRange("row-gradients", params);
    positiveInteger("row-gradients", "places", params.places);
  },
  buffers: ({ elements, rows, places }) => [
    read("table", 4 * rows, "u32"),
    read("roles", 2 * rows, "u32"),
    read("state", stateLength(rows)),
    read("w", elements),
    update("g", elements),
    update("dgain", places),
  ],
  variant(params, caps) {
    const { size, prelude } = rowPrelude(params, caps);
    return { key: `${size}-lanes${params.lanes}`, prelude };
  },
  uniforms: rangeUniforms,
  grid: rangeGrid,
  cost: ({ values, count }) => ({ flops: 5 * values, bytes: 12 * values + 44 * count }),
  reference,
  cases: [
    gradientCase("one row of two", [2]),
    gradientCase("odd lengths", [37, 5, 1, 130]),
    gradientCase("whole vectors, the first rows left alone", [36, 64, 128, 8], { first: 2 }),
    gradientCase("zero and tiny rows", Array(6).fill(27), { size: (row) => [0, 1e-4, 1][row % 3]! }),
    gradientCase("gains of 0", [64, 4, 36], { gain: 0 }),
    gradientCase("a layer of 3x3", Array(128).fill(1152)),
  ],
  tolerance: { f32: 3e-6, f16: 3e-6 },
};

/** Rows one behind the other, every second one with a gain, of a row behind all. Products that do not cancel: else dgain says little. */
function gradientCase(
  name: string,
  lengths: readonly number[],
  { first = 0, size = () => 1, gain = 0.6 }: { first?: number; size?: (row: number) => number; gain?: number } = {},
): Case<RowGradientsParams> {
  const rows = lengths.length + 1;
  const rowOf = lengths.flatMap((length, row) => Array<number>(length).fill(row));
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  const elements = rowOf.length;
  const lanes = lengths.every((length) => length % 4 === 0) ? 4 : 1;
  const values = lengths.slice(first).reduce((a, b) => a + b, 0);
  const count = lengths.length - first;
  return {
    name,
    params: { elements, rows, first, count, values, lanes, places: rows + 3 },
    inputs: (buffer, length, random) => {
      if (buffer === "table")
        return Uint32Array.from([...lengths.flatMap((n, i) => [starts[i]!, n, rows + 1 - i, 1]), 0, 0, 0, 0]);
      if (buffer === "roles")
        return Uint32Array.from([
          ...lengths.flatMap((n, i) => role(0.7 / Math.sqrt(n), i % 2 === 0 ? rows - 1 : undefined)),
          0,
          0,
        ]);
      if (buffer === "w") return Float32Array.from({ length }, (_, i) => size(rowOf[i]!) * (1.5 + random()));
      if (buffer === "g") return Float32Array.from({ length }, () => 1.5 + random());
      if (buffer !== "state") return undefined;
      const own = lengths.flatMap((_, row) => [1.8 * size(row), 1.03, 0, 0]);
      return Float32Array.from([...Array(4 * STATE_HEAD).fill(0), ...own, gain, 1, 0, 0]);
    },
  };
}
