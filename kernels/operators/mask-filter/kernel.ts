import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type MaskFilterParams, reference } from "./reference.js";

/** A mask, or the gradient of its squared residual. */
export const maskFilter = elementwise<MaskFilterParams>({
  name: "mask-filter",
  group: "operators",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ elements, residual }, n) => [
    read("x", n),
    read("mask", elements),
    read("measured", residual ? n : 0),
    write("y", n),
  ],
  flags: ({ residual }) => ({ RESIDUAL: residual }),
  flops: ({ residual }, n) => (residual ? 2 : 1) * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, residual: false }, inputs: holes },
    { name: "mask, odd", params: { batch: 3, elements: 131, residual: false }, inputs: holes },
    { name: "gradient, odd", params: { batch: 3, elements: 131, residual: true }, inputs: holes },
    { name: "an image", params: { batch: 2, elements: 3 * 32 * 32, residual: true }, inputs: holes },
  ],
  tolerance: { f32: 1e-7, f16: 1e-7 },
});

/** Every third pixel is unknown; the measurement there is not a number, which must not be seen. */
function holes(name: string, length: number, random: () => number): Float32Array | undefined {
  if (name === "mask") return Float32Array.from({ length }, (_, i) => (i % 3 === 1 ? 0 : 1));
  if (name !== "measured") return undefined;
  const elements = length % 131 === 0 ? 131 : length / 2;
  return Float32Array.from({ length }, (_, i) => ((i % elements) % 3 === 1 ? Number.NaN : random()));
}
