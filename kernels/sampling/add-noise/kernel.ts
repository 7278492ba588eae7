import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AddNoiseParams, reference } from "./reference.js";

/** Churn of the second-order sampler: y = x + level[3] z, level = [t, next, guidance, churn scale]. */
export const addNoise = elementwise<AddNoiseParams>({
  name: "add-noise",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  threads: ({ elements }) => elements,
  buffers({ elements }) {
    return [
      { name: "x", access: "read", type: "f32", length: elements },
      { name: "z", access: "read", type: "f32", length: elements },
      { name: "level", access: "read", type: "f32", length: 4 },
      { name: "y", access: "write", type: "f32", length: elements },
    ];
  },
  flops: ({ elements }) => 2 * elements,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 } },
    { name: "odd length", params: { elements: 131 } },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 } },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});
