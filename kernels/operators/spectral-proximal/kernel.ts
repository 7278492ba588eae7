import { read, write } from "../../lib/buffers.js";
import complex from "../../lib/complex.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SpectralProximalParams } from "./reference.js";

/** Spectrum of the posterior draw of a circular convolution, less that of the prior's centre; level = [s, rho]. */
export const spectralProximal = elementwise<SpectralProximalParams>({
  name: "spectral-proximal",
  group: "operators",
  source,
  parts: [{ file: "kernels/lib/complex.wgsl", text: complex }],
  counts: ({ planes, frequencies }) => ({ planes, frequencies }),
  buffers: ({ frequencies }, n) => [
    read("x", 2 * n),
    read("measured", 2 * n),
    read("z", 2 * n),
    read("transfer", 2 * frequencies),
    read("level", 2),
    write("y", 2 * n),
  ],
  flops: (_, n) => 26 * n,
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
