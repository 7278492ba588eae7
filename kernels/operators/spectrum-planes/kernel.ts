import { read, write } from "../../lib/buffers.js";
import { finiteNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectrumPlanesParams } from "./reference.js";

/** Spectra as centred planes of real and imaginary parts, masked, and the way back. */
export const spectrumPlanes = elementwise<SpectrumPlanesParams>({
  name: "spectrum-planes",
  group: "operators",
  source,
  counts: ({ planes, rows, columns }) => ({ planes, rows, columns }),
  check({ factor }) {
    finiteNumber("spectrum-planes", "factor", factor);
  },
  buffers: ({ rows, columns, masked }, n) => [
    read("x", 2 * n),
    read("mask", masked ? rows * columns : 0),
    write("y", 2 * n),
  ],
  flags: ({ masked, back }) => ({ MASKED: masked, BACK: back }),
  flops: (_, n) => 2 * n,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1, masked: true, back: false }, inputs },
    { name: "odd, masked", params: { planes: 3, rows: 9, columns: 7, factor: 0.5, masked: true, back: false }, inputs },
    {
      name: "odd, masked, back",
      params: { planes: 3, rows: 9, columns: 7, factor: 0.5, masked: true, back: true },
      inputs,
    },
    { name: "even and odd, all", params: { planes: 2, rows: 8, columns: 11, factor: 1, masked: false, back: false } },
    {
      name: "pictures, back",
      params: { planes: 2, rows: 64, columns: 64, factor: 1, masked: true, back: true },
      inputs,
    },
  ],
  tolerance: { f32: 1e-7, f16: 1e-7 },
});

function inputs(name: string, length: number): Float32Array | undefined {
  return name === "mask" ? Float32Array.from({ length }, (_, i) => (i % 3 === 1 ? 0 : 1)) : undefined;
}
