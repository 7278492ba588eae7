import { read, update } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type EmaParams, reference } from "./reference.js";

/** average <- decay average + (1 - decay) x, in place. */
export const ema = elementwise<EmaParams>({
  name: "ema",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("x", n), read("decay", 1), update("average", n)],
  flops: (_, n) => 4 * n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 }, inputs: decay(0.6) },
    { name: "odd length", params: { elements: 131 }, inputs: decay(0.2) },
    { name: "decay 0 ignores the average", params: { elements: 131 }, inputs: decay(0) },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 }, inputs: decay(0.9) },
  ],
  tolerance: { f32: 2e-7, f16: 2e-7 },
});

function decay(mu: number) {
  return (name: string, length: number): Float32Array | undefined => {
    if (name === "decay") return Float32Array.of(mu);
    return name === "average" && mu === 0 ? new Float32Array(length).fill(Number.NaN) : undefined;
  };
}
