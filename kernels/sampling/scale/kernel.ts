import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { reference, type ScaleParams } from "./reference.js";

/** y = factor[0] * x, with the factor in a buffer. */
export const scale = elementwise<ScaleParams>({
  name: "scale",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("x", n), read("factor", 1), write("y", n)],
  flops: (_, n) => n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 } },
    { name: "odd length, factor 80", params: { elements: 131 }, inputs: factor(80) },
    { name: "factor 0", params: { elements: 64 }, inputs: factor(0) },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 } },
  ],
  tolerance: { f32: 1e-7, f16: 1e-7 },
});

function factor(value: number) {
  return (name: string): Float32Array | undefined => (name === "factor" ? Float32Array.of(value) : undefined);
}
