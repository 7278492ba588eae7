import { read, write } from "../../lib/buffers.js";
import clipFinite from "../../lib/clip.wgsl.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type ClipParams, reference } from "./reference.js";

/** y = x cut to [-1, 1]; what is not finite passes. */
export const clip = elementwise<ClipParams>({
  name: "clip",
  group: "sampling",
  source,
  parts: [{ file: "kernels/lib/clip.wgsl", text: clipFinite }],
  prelude: () => "alias F = f32; alias U = u32;",
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("x", n), write("y", n)],
  flops: (_, n) => n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 } },
    { name: "odd length", params: { elements: 131 }, inputs: spread },
    { name: "NaN and infinities", params: { elements: 67 }, inputs: broken },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 }, inputs: spread },
  ],
  tolerance: { f32: 0, f16: 0 },
});

/** From -3 to 3. */
function spread(_: string, length: number, random: () => number): Float32Array {
  return Float32Array.from({ length }, () => 6 * random() - 3);
}

function broken(_: string, length: number): Float32Array {
  const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3.4e38, -1, 1, 0.5];
  return Float32Array.from({ length }, (_, i) => odd[i % odd.length]!);
}
