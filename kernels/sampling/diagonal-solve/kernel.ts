import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type DiagonalSolveParams, reference } from "./reference.js";

/** w = (y - ax) / (level[0] + level[1] gain), entry by entry. */
export const diagonalSolve = elementwise<DiagonalSolveParams>({
  name: "diagonal-solve",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("y", n), read("ax", n), read("gain", n), read("level", 2), write("w", n)],
  flops: (_, n) => 4 * n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 }, inputs: levels },
    { name: "odd length", params: { elements: 131 }, inputs: levels },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 }, inputs: levels },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

/** Gains from 0, as outside a mask, to 1.9. */
function levels(buffer: string, length: number): Float32Array | undefined {
  if (buffer === "level") return Float32Array.of(0.0025, 0.64);
  return buffer === "gain" ? Float32Array.from({ length }, (_, i) => (i % 20) / 10) : undefined;
}
