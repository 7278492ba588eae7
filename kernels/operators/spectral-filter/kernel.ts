import { read, write } from "../../lib/buffers.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectralFilterParams } from "./reference.js";

/** A circular convolution, or the gradient of its squared residual, on half spectra. */
export const spectralFilter = elementwise<SpectralFilterParams>({
  name: "spectral-filter",
  group: "operators",
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  counts: ({ planes, frequencies }) => ({ planes, frequencies }),
  buffers: ({ frequencies, residual }, n) => [
    read("x", 2 * n),
    read("transfer", 2 * frequencies),
    read("measured", residual ? 2 * n : 0),
    write("y", 2 * n),
  ],
  flags: ({ residual }) => ({ RESIDUAL: residual }),
  flops({ planes, frequencies, residual }) {
    const values = planes * frequencies;
    return (residual ? 16 : 6) * values;
  },
  reference,
  cases: [
    { name: "one value", params: { planes: 1, frequencies: 1, residual: false } },
    { name: "filter, odd", params: { planes: 3, frequencies: 131, residual: false } },
    { name: "gradient, odd", params: { planes: 3, frequencies: 131, residual: true } },
    { name: "spectra of 32 x 32", params: { planes: 6, frequencies: 32 * 17, residual: true } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});
