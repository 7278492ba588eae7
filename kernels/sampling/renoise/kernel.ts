import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type RenoiseParams, reference } from "./reference.js";

/** Re-noising between the steps of multi-step NCVSD sampling (Algorithm 2), level = [sigma_i, sigma_next, zeta]. */
export const renoise = elementwise<RenoiseParams>({
  name: "renoise",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: (_, n) => [read("x0", n), read("xi", n), read("eps", n), read("level", 3), write("xNext", n)],
  flops: (_, n) => 7 * n,
  reference,
  cases: [
    { name: "one value, zeta 1", params: { batch: 1, elements: 1 }, inputs: step(80, 12, 1) },
    { name: "odd length, zeta 0.3", params: { batch: 3, elements: 131 }, inputs: step(10, 3, 0.3) },
    { name: "zeta 0 ignores eps", params: { batch: 2, elements: 65 }, inputs: step(2, 1, 0, "eps") },
    { name: "zeta 1 ignores xi", params: { batch: 2, elements: 65 }, inputs: step(1e-30, 0.5, 1, "xi") },
    { name: "an image", params: { batch: 1, elements: 3 * 32 * 32 }, inputs: step(5, 0.8, 1) },
  ],
  tolerance: { f32: 5e-7, f16: 5e-7 },
});

/** The three scalars of a step; the buffer `huge`, whose weight is 0, is filled with the largest number. */
function step(level: number, next: number, zeta: number, huge?: string) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "level") return Float32Array.of(level, next, zeta);
    return name === huge ? new Float32Array(length).fill(3.4e38) : undefined;
  };
}
