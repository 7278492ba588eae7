import type { Kernel } from "../../../src/gpu/contract.js";
import { paddedPixels } from "../../lib/attention-backward.js";
import type { Side } from "../../lib/attention-pairs.js";
import { overPairs } from "../../lib/attention-pairs-kernel.js";
import { read } from "../../lib/buffers.js";
import source from "./kernel.wgsl.js";
import { type AttentionBackwardParams, reference } from "./reference.js";

/** Own pixels are keys, the others queries. */
const SIDE: Side = {
  own: 1,
  other: 0,
  ownFactor: (quad) => `loadQkv(at + 2u * width, ${quad}, last)`,
  otherFactor: (quad) => `loadG(gAt, ${quad}, last)`,
  others: ["q", "share", "e"],
  sums: ["alongK", "alongV"],
  factors: (quad) => [`loadQkv(at, ${quad}, last)`, `loadG(gAt, ${quad}, last)`],
};

/**
 * qkv, g, norms (attention-backward-norms) and totals (attention-backward-queries) to the rows of k and v of
 * gqkv [N, heads * d * 3, P], the gradient of qkv.
 */
export const attentionBackwardKeys: Kernel<AttentionBackwardParams> = {
  ...overPairs("attention-backward-keys", source, SIDE, read),
  cost(params, bytesPerAct) {
    const { batch, heads, headDim, pixels } = params;
    const elements = batch * heads * headDim * pixels;
    return {
      flops: batch * heads * pixels * (pixels * (8 * headDim + 11) + 8 * headDim),
      bytes: 6 * bytesPerAct * elements + 20 * batch * heads * paddedPixels(params),
    };
  },
  reference,
};
