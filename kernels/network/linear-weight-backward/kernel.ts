import { elementwise } from "../../lib/elementwise.js";
import source from "./kernel.wgsl.js";
import { type LinearWeightBackwardParams, reference } from "./reference.js";

/** Weight gradient of a linear layer: x [N, K], g [N, M] to dw [M, K]. All f32. */
export const linearWeightBackward = elementwise<LinearWeightBackwardParams>({
  name: "linear-weight-backward",
  group: "network",
  source,
  counts: ({ batch, inFeatures, outFeatures }) => ({ batch, inFeatures, outFeatures }),
  threads: ({ inFeatures, outFeatures }) => inFeatures * outFeatures,
  buffers: ({ batch, inFeatures, outFeatures }) => [
    { name: "x", access: "read", type: "f32", length: batch * inFeatures },
    { name: "g", access: "read", type: "f32", length: batch * outFeatures },
    { name: "dw", access: "write", type: "f32", length: outFeatures * inFeatures },
  ],
  flops: ({ batch, inFeatures, outFeatures }) => 2 * batch * inFeatures * outFeatures,
  reference,
  cases: [
    { name: "one by one", params: { batch: 1, inFeatures: 1, outFeatures: 1 } },
    { name: "odd sizes", params: { batch: 5, inFeatures: 37, outFeatures: 13 } },
    { name: "an embedding", params: { batch: 16, inFeatures: 192, outFeatures: 768 } },
  ],
  tolerance: { f32: 1e-6, f16: 1e-6 },
});
