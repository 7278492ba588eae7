import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, fail, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type FftJoinParams, reference } from "./reference.js";

/** Half spectra of rows to spectra of paired real rows: the input of the inverse row transforms. */
export const fftJoin: Kernel<FftJoinParams> = {
  name: "fft-join",
  source: [{ file: "kernels/operators/fft-join/kernel.wgsl", text: source }],
  check({ planes, height, columns, rows, top }) {
    for (const [name, value] of Object.entries({ planes, height, columns, rows }))
      positiveInteger("fft-join", name, value);
    nonNegativeInteger("fft-join", "top", top);
    if (top + height > rows) fail("fft-join", `the image must fit into ${rows} rows`, top + height);
    addressable("fft-join", "x", planes, rows, columns + 2);
    addressable("fft-join", "y", planes, height + 1, columns);
  },
  buffers({ planes, height, columns, rows }) {
    return [
      { name: "x", access: "read", type: "f32", length: 2 * planes * rows * halfOf(columns) },
      { name: "y", access: "write", type: "f32", length: 2 * planes * Math.ceil(height / 2) * columns },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ planes, height, columns, rows, top }) => ({ planes, height, columns, half: halfOf(columns), rows, top }),
  grid: ({ planes, height, columns }, _variant, caps) => grid1d(planes * Math.ceil(height / 2) * columns, 64, caps),
  cost({ planes, height, columns, rows }) {
    const values = planes * Math.ceil(height / 2) * columns;
    return { flops: 4 * values, bytes: 8 * values + 8 * planes * rows * halfOf(columns) };
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
