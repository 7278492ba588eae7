import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectralFilterParams } from "./reference.js";

/** A circular convolution, or the gradient of its squared residual, on half spectra. */
export const spectralFilter = elementwise<SpectralFilterParams>({
  name: "spectral-filter",
  group: "operators",
  source,
  counts: ({ planes, frequencies }) => ({ planes, frequencies }),
  threads: ({ planes, frequencies }) => planes * frequencies,
  buffers({ planes, frequencies, residual }) {
    const length = 2 * planes * frequencies;
    return [
      { name: "x", access: "read", type: "f32", length },
      { name: "transfer", access: "read", type: "f32", length: 2 * frequencies },
      { name: "measured", access: "read", type: "f32", length: residual ? length : 0 },
      { name: "y", access: "write", type: "f32", length },
    ];
  },
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
