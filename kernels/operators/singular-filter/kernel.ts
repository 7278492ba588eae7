import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type SingularFilterParams } from "./reference.js";

/** A likelihood step in singular vectors, less x + rho z; level = [s, rho]. */
export const singularFilter = elementwise<SingularFilterParams>({
  name: "singular-filter",
  group: "operators",
  source,
  counts: ({ planes, entries }) => ({ planes, entries }),
  buffers: ({ entries }, n) => [
    read("x", n),
    read("z", n),
    read("measured", n),
    read("values", entries),
    read("level", 2),
    write("y", n),
  ],
  flops: (_, n) => 14 * n,
  reference,
  cases: [
    { name: "one value", params: { planes: 1, entries: 1 }, inputs: spectrum(0.05, 80) },
    { name: "odd, wide prior", params: { planes: 3, entries: 131 }, inputs: spectrum(0.05, 80) },
    { name: "narrow prior", params: { planes: 2, entries: 65 }, inputs: spectrum(0.02, 0.003) },
    { name: "images", params: { planes: 6, entries: 64 * 64 }, inputs: spectrum(0.1, 0.5) },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

/** Singular values from 1 to 1e-8, and zero. */
function spectrum(s: number, rho: number) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "level") return Float32Array.of(s, rho);
    if (name !== "values") return undefined;
    return Float32Array.from({ length }, (_, i) => (i === length - 1 && i > 0 ? 0 : 10 ** ((-8 * i) / length)));
  };
}
