import { read, write } from "../../lib/buffers.js";
import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type AddNoiseParams, reference } from "./reference.js";

/** Churn of the second-order sampler: y = x + level[3] z, level = [t, next, guidance, churn scale]. */
export const addNoise = elementwise<AddNoiseParams>({
  name: "add-noise",
  group: "sampling",
  source,
  counts: ({ elements }) => ({ elements }),
  buffers: (_, n) => [read("x", n), read("z", n), read("level", 4), write("y", n)],
  flops: (_, n) => 2 * n,
  reference,
  cases: [
    { name: "one value", params: { elements: 1 } },
    { name: "odd length", params: { elements: 131 } },
    { name: "two images", params: { elements: 2 * 3 * 32 * 32 } },
  ],
  tolerance: { f32: 3e-7, f16: 3e-7 },
});
