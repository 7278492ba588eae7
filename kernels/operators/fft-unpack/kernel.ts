import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, fail, finiteNumber, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { type FftUnpackParams, reference } from "./reference.js";

/** Complex lines of paired rows to real images, cut out and scaled, on top of `base` if there is one. */
export const fftUnpack: Kernel<FftUnpackParams> = {
  name: "fft-unpack",
  source: [{ file: "kernels/operators/fft-unpack/kernel.wgsl", text: source }],
  check({ planes, height, width, columns, left, factor }) {
    for (const [name, value] of Object.entries({ planes, height, width, columns }))
      positiveInteger("fft-unpack", name, value);
    nonNegativeInteger("fft-unpack", "left", left);
    finiteNumber("fft-unpack", "factor", factor);
    if (left + width > columns) fail("fft-unpack", `the image must fit into ${columns} columns`, left + width);
    addressable("fft-unpack", "x", planes, height + 1, columns);
    addressable("fft-unpack", "y", planes, height, width);
  },
  buffers({ planes, height, width, columns, base }) {
    return [
      { name: "x", access: "read", type: "f32", length: 2 * planes * Math.ceil(height / 2) * columns },
      { name: "base", access: "read", type: "f32", length: base ? planes * height * width : 0 },
      { name: "y", access: "write", type: "f32", length: planes * height * width },
    ];
  },
  variant: ({ base }) => ({ key: base ? "base" : "", prelude: `const BASE: bool = ${base};` }),
  uniforms: ({ planes, height, width, columns, left, factor }) => ({ planes, height, width, columns, left, factor }),
  grid: ({ planes, height, width }, _variant, caps) => grid1d(planes * height * width, 64, caps),
  cost({ planes, height, width, base }) {
    return { flops: (base ? 2 : 1) * planes * height * width, bytes: (base ? 12 : 8) * planes * height * width };
  },
  reference,
  cases: [
    { name: "one value", params: { planes: 1, height: 1, width: 1, columns: 1, left: 0, factor: 1, base: false } },
    {
      name: "odd rows, cut out, with base",
      params: { planes: 3, height: 5, width: 7, columns: 13, left: 3, factor: 0.25, base: true },
    },
    {
      name: "images",
      params: { planes: 6, height: 32, width: 32, columns: 32, left: 0, factor: 1 / 1024, base: false },
    },
  ],
  tolerance: { f32: 2e-7, f16: 2e-7 },
};
