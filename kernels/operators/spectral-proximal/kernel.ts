import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectralProximalParams } from "./reference.js";

/** Spectrum of the posterior draw of a circular convolution, less that of the prior's centre; level = [s, rho]. */
export const spectralProximal = elementwise<SpectralProximalParams>({
  name: "spectral-proximal",
  group: "operators",
  source,
  counts: ({ planes, frequencies }) => ({ planes, frequencies }),
  threads: ({ planes, frequencies }) => planes * frequencies,
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
  flops: ({ planes, frequencies }) => 26 * planes * frequencies,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, frequencies: 1 }, inputs: level(0.03, 1) },
    { name: "odd, wide prior", params: { planes: 3, frequencies: 131 }, inputs: level(0.03, 80) },
    { name: "narrow prior", params: { planes: 2, frequencies: 65 }, inputs: level(0.05, 0.002) },
    { name: "spectra of 32 x 32", params: { planes: 6, frequencies: 32 * 17 }, inputs: level(0.03, 0.5) },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

function level(s: number, rho: number) {
  return (name: string): Float32Array | undefined => (name === "level" ? Float32Array.of(s, rho) : undefined);
}
