import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type MaskProximalParams, reference } from "./reference.js";

/** The posterior draw of a mask; level = [s, rho]. */
export const maskProximal = elementwise<MaskProximalParams>({
  name: "mask-proximal",
  group: "operators",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ elements }, n) => [
    read("x", n),
    read("measured", n),
    read("z", n),
    read("mask", elements),
    read("level", 2),
    write("y", n),
  ],
  flops: (_, n) => 10 * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1 }, inputs: at(0.007, 1) },
    { name: "odd, wide prior", params: { batch: 3, elements: 131 }, inputs: at(0.007, 80) },
    { name: "narrow prior", params: { batch: 2, elements: 65 }, inputs: at(0.05, 0.002) },
    { name: "an image", params: { batch: 2, elements: 3 * 32 * 32 }, inputs: at(0.05, 0.5) },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

function at(s: number, rho: number) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "mask") return Float32Array.from({ length }, (_, i) => (i % 3 === 1 ? 0 : 1));
    return name === "level" ? Float32Array.of(s, rho) : undefined;
  };
}
