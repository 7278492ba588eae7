import { grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { addressable, positiveInteger } from "../../lib/check.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectralProximalParams } from "./reference.js";

/** Spectrum of the posterior draw of a circular convolution, less that of the prior's centre; level = [s, rho]. */
export const spectralProximal: Kernel<SpectralProximalParams> = {
  name: "spectral-proximal",
  source: [{ file: "kernels/operators/spectral-proximal/kernel.wgsl", text: source }],
  check({ planes, frequencies }) {
    positiveInteger("spectral-proximal", "planes", planes);
    positiveInteger("spectral-proximal", "frequencies", frequencies);
    addressable("spectral-proximal", "x", planes, frequencies, 2);
  },
  buffers({ planes, frequencies }) {
    const length = 2 * planes * frequencies;
    return [
      { name: "x", access: "read", type: "f32", length },
      { name: "measured", access: "read", type: "f32", length },
      { name: "z", access: "read", type: "f32", length },
      { name: "transfer", access: "read", type: "f32", length: 2 * frequencies },
      { name: "level", access: "read", type: "f32", length: 2 },
      { name: "y", access: "write", type: "f32", length },
    ];
  },
  variant: () => ({ key: "", prelude: "" }),
  uniforms: ({ planes, frequencies }) => ({ planes, frequencies }),
  grid: ({ planes, frequencies }, _variant, caps) => grid1d(planes * frequencies, 64, caps),
  cost: ({ planes, frequencies }) => ({
    flops: 26 * planes * frequencies,
    bytes: 32 * planes * frequencies + 8 * frequencies,
  }),
  reference,
  cases: [
    { name: "one value", params: { planes: 1, frequencies: 1 }, inputs: level(0.03, 1) },
    { name: "odd, wide prior", params: { planes: 3, frequencies: 131 }, inputs: level(0.03, 80) },
    { name: "narrow prior", params: { planes: 2, frequencies: 65 }, inputs: level(0.05, 0.002) },
    { name: "spectra of 32 x 32", params: { planes: 6, frequencies: 32 * 17 }, inputs: level(0.03, 0.5) },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
};

function level(s: number, rho: number) {
  return (name: string): Float32Array | undefined => (name === "level" ? Float32Array.of(s, rho) : undefined);
}
