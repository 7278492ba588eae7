import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectralFilterParams } from "./reference.js";

/** A circular convolution, or the gradient of its squared residual, on half spectra. */
export const spectralFilter: Kernel<SpectralFilterParams> = {
  name: "spectral-filter",
  source: [{ file: "kernels/operators/spectral-filter/kernel.wgsl", text: source }],
  check({ planes, frequencies }) {
    positiveInteger("spectral-filter", "planes", planes);
    positiveInteger("spectral-filter", "frequencies", frequencies);
    addressable("spectral-filter", "x", planes, frequencies, 2);
  },
  buffers({ planes, frequencies, residual }) {
    const length = 2 * planes * frequencies;
    return [
      { name: "x", access: "read", type: "f32", length },
      { name: "transfer", access: "read", type: "f32", length: 2 * frequencies },
      { name: "measured", access: "read", type: "f32", length: residual ? length : 0 },
      { name: "y", access: "write", type: "f32", length },
    ];
  },
  variant: ({ residual }) => ({ key: residual ? "residual" : "", prelude: `const RESIDUAL: bool = ${residual};` }),
  uniforms: ({ planes, frequencies }) => ({ planes, frequencies }),
  grid: ({ planes, frequencies }, _variant, caps) => grid1d(planes * frequencies, 64, caps),
  cost({ planes, frequencies, residual }) {
    const values = planes * frequencies;
    return { flops: (residual ? 16 : 6) * values, bytes: (residual ? 24 : 16) * values + 8 * frequencies };
  },
  reference,
  cases: [
    { name: "one value", params: { planes: 1, frequencies: 1, residual: false } },
    { name: "filter, odd", params: { planes: 3, frequencies: 131, residual: false } },
    { name: "gradient, odd", params: { planes: 3, frequencies: 131, residual: true } },
    { name: "spectra of 32 x 32", params: { planes: 6, frequencies: 32 * 17, residual: true } },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
};
