import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { checkLines } from "../../lib/half-spectrum.js";
import source from "./kernel.wgsl.js";
import { type FftUnpackParams, reference } from "./reference.js";

/** Complex lines of paired rows to real images, cut out and scaled, on top of `base` if there is one. */
export const fftUnpack = elementwise<FftUnpackParams>({
  name: "fft-unpack",
  group: "operators",
  source,
  counts: ({ planes, height, width, columns }) => ({ planes, height, width, columns }),
  check(p) {
    finiteNumber("fft-unpack", "factor", p.factor);
    checkLines("fft-unpack", p);
  },
  threads: ({ planes, height, width }) => planes * height * width,
  buffers({ planes, height, width, columns, base }) {
    return [
      read("x", 2 * planes * Math.ceil(height / 2) * columns),
      read("base", base ? planes * height * width : 0),
      write("y", planes * height * width),
    ];
  },
  flags: ({ base }) => ({ BASE: base }),
  flops: ({ planes, height, width, base }) => (base ? 2 : 1) * planes * height * width,
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
});
