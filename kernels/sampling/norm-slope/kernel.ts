import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type NormSlopeParams, reference } from "./reference.js";

/** v = gradient / (2 norm[image]), 0 where the norm is 0, and where a clipped d lies outside [-1, 1]. */
export const normSlope = elementwise<NormSlopeParams>({
  name: "norm-slope",
  group: "sampling",
  source,
  counts: ({ batch, elements }) => ({ batch, elements }),
  buffers: ({ batch, clipped }, n) => [
    read("gradient", n),
    read("norm", batch),
    read("d", clipped ? n : 0),
    write("v", n),
  ],
  uniforms: ({ elements }) => ({ size: elements }),
  flags: ({ clipped }) => ({ CLIPPED: clipped }),
  flops: (_, n) => 2 * n,
  reference,
  cases: [
    { name: "one value", params: { batch: 1, elements: 1, clipped: false }, inputs: norms },
    { name: "odd length, clipped, one image fits", params: { batch: 3, elements: 131, clipped: true }, inputs: norms },
    { name: "two images", params: { batch: 2, elements: 3 * 32 * 32, clipped: false }, inputs: norms },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});

/** The second image fits exactly. */
function norms(buffer: string, length: number): Float32Array | undefined {
  return buffer === "norm" ? Float32Array.from({ length }, (_, n) => [3.7, 0, 0.02][n % 3]!) : undefined;
}
