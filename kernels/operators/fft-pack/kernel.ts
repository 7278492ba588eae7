import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { checkLines } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { type FftPackParams, reference } from "./reference.js";

/** Pairs of real rows as complex lines, padded: the input of a real 2-D FFT's row transforms. */
export const fftPack = elementwise<FftPackParams>({
  name: "fft-pack",
  group: "operators",
  source,
  counts: ({ planes, height, width, columns }) => ({ planes, height, width, columns }),
  check(p) {
    finiteNumber("fft-pack", "factor", p.factor);
    finiteNumber("fft-pack", "offset", p.offset);
    checkLines("fft-pack", p);
  },
  threads: ({ planes, height, columns }) => planes * Math.ceil(height / 2) * columns,
  buffers({ planes, height, width, columns }) {
    return [read("x", planes * height * width), write("y", 2 * planes * Math.ceil(height / 2) * columns)];
  },
  flops: ({ planes, height, width }) => 2 * planes * height * width,
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
});
