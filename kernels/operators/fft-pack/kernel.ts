import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, fail, finiteNumber, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type FftPackParams, reference } from "./reference.js";

/** Pairs of real rows as complex lines, padded: the input of a real 2-D FFT's row transforms. */
export const fftPack: Kernel<FftPackParams> = {
  name: "fft-pack",
  source: [{ file: "kernels/operators/fft-pack/kernel.wgsl", text: source }],
  check({ planes, height, width, columns, left, factor, offset }) {
    for (const [name, value] of Object.entries({ planes, height, width, columns }))
      positiveInteger("fft-pack", name, value);
    nonNegativeInteger("fft-pack", "left", left);
    finiteNumber("fft-pack", "factor", factor);
    finiteNumber("fft-pack", "offset", offset);
    if (left + width > columns) fail("fft-pack", `the image must fit into ${columns} columns`, left + width);
    addressable("fft-pack", "x", planes, height, width);
    addressable("fft-pack", "y", planes, height + 1, columns);
  },
  buffers({ planes, height, width, columns }) {
    return [
      { name: "x", access: "read", type: "f32", length: planes * height * width },
      { name: "y", access: "write", type: "f32", length: 2 * planes * Math.ceil(height / 2) * columns },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ planes, height, width, columns, left, factor, offset }) => ({
    planes,
    height,
    width,
    columns,
    left,
    factor,
    offset,
  }),
  grid: ({ planes, height, columns }, _variant, caps) => grid1d(planes * Math.ceil(height / 2) * columns, 64, caps),
  cost({ planes, height, width, columns }) {
    return { flops: 2 * planes * height * width, bytes: 4 * planes * height * (width + columns) };
  },
  reference,
  cases: [
    { name: "one value", params: { planes: 1, height: 1, width: 1, columns: 1, left: 0, factor: 1, offset: 0 } },
    {
      name: "odd rows, padded",
      params: { planes: 3, height: 5, width: 7, columns: 13, left: 3, factor: 0.5, offset: 0.5 },
    },
    { name: "images", params: { planes: 6, height: 32, width: 32, columns: 32, left: 0, factor: 1, offset: 0 } },
  ],
  tolerance: { f32: 2e-7, f16: 2e-7 },
};
