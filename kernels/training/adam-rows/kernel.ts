import type { Case, Kernel } from "../../../src/gpu/contract.js";
import { type AdamSettings, adamSettings } from "../../lib/adam-settings.js";
import { checkRange, rangeGrid, rangeUniforms, rowPrelude, STATE_HEAD, stateLength } from "../../lib/bank-rows.js";
import { read, update } from "../../lib/buffers.js";
import { oneOf } from "../../lib/check.js";
import { summing } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { type AdamRowsParams, reference } from "./reference.js";

/** Adam over rows of a bank, in place, with their RMS and up to two averages. All f32. */
export const adamRows: Kernel<AdamRowsParams> = {
  name: "adam-rows",
  source: [...summing(undefined, "vec2f"), { file: "kernels/training/adam-rows/kernel.wgsl", text: source }],
  check(params) {
    checkRange("adam-rows", params);
    oneOf("adam-rows", "averages", params.averages, [0, 1, 2]);
  },
  buffers: ({ elements, rows, averages }) => [
    read("g", elements),
    read("table", 4 * rows, "u32"),
    update("state", stateLength(rows)),
    update("w", elements),
    update("m", elements),
    update("v", elements),
    update("first_average", averages > 0 ? elements : 0),
    update("second_average", averages > 1 ? elements : 0),
  ],
  variant(params, caps) {
    const { size, prelude } = rowPrelude(params, caps);
    const { lanes, averages } = params;
    return { key: `${size}-lanes${lanes}-${averages}`, prelude: `${prelude}const AVERAGES: u32 = ${averages}u;\n` };
  },
  uniforms: rangeUniforms,
  grid: rangeGrid,
  cost: ({ values, count, averages }) => ({
    flops: (17 + 3 * averages) * values,
    bytes: (28 + 8 * averages) * values + 48 * count,
  }),
  reference,
  cases: [
    updateCase("one value", [1], { lr: 0.01, step: 1 }),
    updateCase("rows of many lengths, a rate of 0", [5, 64, 1, 37, 129], { lr: 0, step: 1 }),
    updateCase("whole vectors, the first ones left alone", [64, 4, 132, 576], { lr: 0.003, step: 1000 }, { first: 2 }),
    updateCase(
      "gradients that are not finite",
      [260, 4],
      { lr: 0.02, step: 3 },
      {
        special: (i) => [Number.NaN, Infinity, -Infinity][i % 7],
      },
    ),
    updateCase("zero history stays", [64], { lr: 0.01, step: 2 }, { special: () => 0, fresh: true }),
    updateCase("nothing moves", [64, 8], undefined),
    updateCase("an average", [67, 3], { lr: 0.003, step: 10, rests: [0.3] }),
    updateCase("two averages, one that begins", [68, 4], { lr: 0.003, step: 10, rests: [1, 0.02] }),
    updateCase("a layer of 3x3", Array(128).fill(1152), { lr: 0.01, step: 20, rests: [0.1, 0.01] }),
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
};

/** Rows one behind the other, all but every second one of weights. Without settings nothing moves. */
function updateCase(
  name: string,
  lengths: readonly number[],
  settings: (AdamSettings & { rests?: readonly number[] }) | undefined,
  more: { first?: number; special?: (i: number) => number | undefined; fresh?: boolean } = {},
): Case<AdamRowsParams> {
  const { first = 0, special = () => undefined, fresh = false } = more;
  const rows = lengths.length;
  const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  const elements = lengths.reduce((a, b) => a + b, 0);
  const lanes = lengths.every((length) => length % 4 === 0) ? 4 : 1;
  const values = lengths.slice(first).reduce((a, b) => a + b, 0);
  const averages = settings?.rests?.length ?? 0;
  return {
    name,
    params: { elements, rows, first, count: rows - first, values, lanes, averages },
    inputs: (buffer, length, random) => {
      if (buffer === "table") return Uint32Array.from(lengths.flatMap((n, i) => [starts[i]!, n, 0, 1 - (i % 2)]));
      if (buffer === "g") return Float32Array.from({ length }, (_, i) => special(i) ?? random());
      if (buffer === "m" && fresh) return new Float32Array(length);
      // Second moments are squares.
      if (buffer === "v") return Float32Array.from({ length }, () => (fresh ? 0 : random() ** 2));
      if (buffer !== "state") return undefined;
      const head = [
        ...adamSettings(settings ?? { lr: 1, step: 1 }),
        settings ? 1 : 0,
        ...(settings?.rests ?? []),
        0,
        0,
        0,
        0,
      ];
      // The count of the second row carries.
      const own = lengths.flatMap((_, i) => [7, 1 - (i % 8) / 8, 2 ** 20 - i, 0]);
      return Float32Array.from([...head.slice(0, 4 * STATE_HEAD), ...own]);
    },
  };
}
