import { read, write } from "../../lib/buffers.js";
import { positiveNumber } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type MriProximalParams, reference } from "./reference.js";

/** Spectrum of the posterior draw of masked Fourier samples, less that of the prior's centre; level = [s, rho]. */
export const mriProximal = elementwise<MriProximalParams>({
  name: "mri-proximal",
  group: "operators",
  source,
  counts: ({ planes, rows, columns }) => ({ planes, rows, columns }),
  check({ factor }) {
    positiveNumber("mri-proximal", "factor", factor);
  },
  buffers: ({ rows, columns }, n) => [
    read("x", 2 * n),
    read("measured", 2 * n),
    read("z", 2 * n),
    read("mask", rows * columns),
    read("level", 2),
    write("y", 2 * n),
  ],
  flops: (_, n) => 14 * n,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, rows: 1, columns: 1, factor: 1 }, inputs: at(0.03, 1) },
    { name: "odd, wide prior", params: { planes: 3, rows: 9, columns: 7, factor: 0.5 }, inputs: at(0.05, 80) },
    { name: "even, narrow prior", params: { planes: 2, rows: 8, columns: 10, factor: 0.1 }, inputs: at(0.05, 0.003) },
    { name: "pictures", params: { planes: 2, rows: 64, columns: 64, factor: 1 / 64 }, inputs: at(0.05, 0.5) },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

function at(s: number, rho: number) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "mask") return Float32Array.from({ length }, (_, i) => (i % 3 === 1 ? 0 : 1));
    return name === "level" ? Float32Array.of(s, rho) : undefined;
  };
}
