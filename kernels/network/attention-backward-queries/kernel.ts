import type { Kernel } from "../../../src/gpu/contract.js";
import { paddedPixels } from "../../lib/attention-backward.js";
import type { Side } from "../../lib/attention-pairs.js";
import { overPairs } from "../../lib/attention-pairs-kernel.js";
import { write } from "../../lib/buffers.js";
import source from "./kernel.wgsl.js";
import { type AttentionBackwardParams, reference } from "./reference.js";

/** Own pixels are queries, the others keys. */
const SIDE: Side = {
  own: 0,
  other: 1,
  ownFactor: (quad) => `loadG(gAt, ${quad}, last)`,
  otherFactor: (quad) => `loadQkv(at + 2u * width, ${quad}, last)`,
  others: ["k", "v"],
  sums: ["total", "along"],
  factors: (quad) => [`loadQkv(at + width, ${quad}, last)`],
};

/**
 * qkv, g and norms (attention-backward-norms) to totals [N * heads, padded P], sums of exp(S), and the rows of q of
 * gqkv [N, heads * d * 3, P], the gradient of qkv.
 */
export const attentionBackwardQueries: Kernel<AttentionBackwardParams> = {
  ...overPairs("attention-backward-queries", source, SIDE, write),
  cost(params, bytesPerAct) {
    const { batch, heads, headDim, pixels } = params;
    const elements = batch * heads * headDim * pixels;
    return {
      flops: batch * heads * pixels * (pixels * (6 * headDim + 9) + 4 * headDim),
      bytes: 5 * bytesPerAct * elements + 20 * batch * heads * paddedPixels(params),
    };
  },
  reference,
};
