import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, update } from "../../lib/buffers.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import { summing, summingSize } from "../../lib/entry.js";
import source from "./kernel.wgsl.js";
import { NORMALIZE_EPS, type NormalizeRowsParams, reference } from "./reference.js";

/** Divides rows of a bank by eps + their RMS, in place. */
export const normalizeRows: Kernel<NormalizeRowsParams> = {
  name: "normalize-rows",
  source: [...summing(), { file: "kernels/training/normalize-rows/kernel.wgsl", text: source }],
  check({ elements, rows }) {
    positiveInteger("normalize-rows", "elements", elements);
    positiveInteger("normalize-rows", "rows", rows);
    addressable("normalize-rows", "w", elements);
    addressable("normalize-rows", "table", rows, 2);
  },
  buffers({ elements, rows }) {
    return [read("table", 2 * rows, "u32"), update("w", elements)];
  },
  variant(_params, caps) {
    const { size, prelude } = summingSize(caps);
    return { key: String(size), prelude: `${prelude}const EPS: f32 = ${NORMALIZE_EPS};\n` };
  },
  uniforms: ({ rows }) => ({ workgroups: rows }),
  grid: ({ rows }, _variant, caps) => grid1d(rows, 1, caps),
  // As if every value lay in a row.
  cost: ({ elements, rows }) => ({ flops: 3 * elements, bytes: 8 * elements + 8 * rows }),
  reference,
  cases: [
    { name: "one value", params: { elements: 1, rows: 1 }, inputs: table([0, 1]) },
    {
      name: "rows of many lengths, in any order, with gaps",
      params: { elements: 2000, rows: 6 },
      inputs: table([1301, 64], [64, 27], [0, 1], [91, 65], [160, 1101], [1990, 10]),
    },
    {
      name: "rows of zeros, small and large ones",
      params: { elements: 390, rows: 3 },
      inputs: table([0, 130], [130, 130], [260, 130], (i) => [0, 1e-4, 3e4][Math.floor(i / 130)]!),
    },
    {
      name: "64 channels of 64 x 3 x 3",
      params: { elements: 64 * 576, rows: 64 },
      inputs: table(...Array.from({ length: 64 }, (_, i): [number, number] => [576 * i, 576])),
    },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
};

/** Rows as (first, length), and perhaps what the normal values are multiplied by. */
function table(...entries: ([number, number] | ((i: number) => number))[]) {
  const rows = entries.filter((entry) => typeof entry !== "function");
  const factor = entries.find((entry) => typeof entry === "function");
  return (name: string, length: number, random: () => number): Float32Array | Uint32Array | undefined => {
    if (name === "table") return Uint32Array.from(rows.flat());
    return factor && Float32Array.from({ length }, (_, i) => factor(i) * random());
  };
}
