import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, fail, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type FftSplitParams, reference } from "./reference.js";

/** Row transforms of paired real rows to one half spectrum per row. */
export const fftSplit: Kernel<FftSplitParams> = {
  name: "fft-split",
  source: [{ file: "kernels/operators/fft-split/kernel.wgsl", text: source }],
  check({ planes, height, columns, rows, top }) {
    for (const [name, value] of Object.entries({ planes, height, columns, rows }))
      positiveInteger("fft-split", name, value);
    nonNegativeInteger("fft-split", "top", top);
    if (top + height > rows) fail("fft-split", `the image must fit into ${rows} rows`, top + height);
    addressable("fft-split", "x", planes, height + 1, columns);
    addressable("fft-split", "y", planes, rows, columns + 2);
  },
  buffers({ planes, height, columns, rows }) {
    return [
      { name: "x", access: "read", type: "f32", length: 2 * planes * Math.ceil(height / 2) * columns },
      { name: "y", access: "write", type: "f32", length: 2 * planes * rows * halfOf(columns) },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ planes, height, columns, rows, top }) => ({ planes, height, columns, half: halfOf(columns), rows, top }),
  grid: ({ planes, columns, rows }, _variant, caps) => grid1d(planes * rows * halfOf(columns), 64, caps),
  cost({ planes, height, columns, rows }) {
    const values = planes * rows * halfOf(columns);
    return { flops: 4 * values, bytes: 8 * values + 4 * planes * height * columns };
  },
  reference,
  cases: [
    { name: "one value", params: { planes: 1, height: 1, columns: 1, rows: 1, top: 0 } },
    { name: "odd sizes, padded", params: { planes: 3, height: 5, columns: 13, rows: 11, top: 3 } },
    { name: "even columns", params: { planes: 2, height: 8, columns: 10, rows: 8, top: 0 } },
    { name: "images", params: { planes: 6, height: 32, columns: 32, rows: 32, top: 0 } },
  ],
  tolerance: { f32: 2e-7, f16: 2e-7 },
};

function halfOf(columns: number): number {
  return Math.floor(columns / 2) + 1;
}
