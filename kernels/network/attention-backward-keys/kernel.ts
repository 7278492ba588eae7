import { grid1d, type Kernel, type Variant } from "../../../src/gpu/contract.js";
import { checkAttention, PAIR_CASES, paddedPixels } from "../../lib/attention-backward.js";
import { channelsPerInvocation, OWN_PIXELS, type Side, tiledPairs } from "../../lib/attention-pairs.js";
import { subgroupPairs, subgroupPairsFit } from "../../lib/attention-pairs-subgroup.js";
import { attentionRows } from "../../lib/attention-rows.js";
import { read, write } from "../../lib/buffers.js";
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
  name: "attention-backward-keys",
  source: [{ file: "kernels/network/attention-backward-keys/kernel.wgsl", text: source }],
  check: (params) => checkAttention("attention-backward-keys", params),
  buffers(params) {
    const { batch, heads, headDim, pixels } = params;
    const length = batch * heads * headDim * pixels;
    const padded = batch * heads * paddedPixels(params);
    return [
      read("qkv", 3 * length, "act"),
      read("g", length, "act"),
      read("norms", 4 * padded),
      read("totals", padded),
      write("gqkv", 3 * length, "act"),
    ];
  },
  variant(params, caps): Variant {
    const { pixels } = params;
    const rows = attentionRows({ pixels, reads: ["qkv", "g"], writes: ["gqkv"] }, caps);
    if (subgroupPairsFit(params, caps)) {
      return { key: `subgroup8 ${rows.key}`, prelude: rows.text + subgroupPairs(SIDE), needs: ["subgroups"] };
    }
    const channels = channelsPerInvocation(params);
    return { key: `tiled c${channels} ${rows.key}`, prelude: rows.text + tiledPairs(SIDE, channels) };
  },
  uniforms: ({ batch, heads, headDim, pixels }) => ({
    headDim,
    pixels,
    quads: Math.ceil(pixels / 4),
    heads: batch * heads,
    scale: 1 / Math.sqrt(headDim),
    invDim: 1 / headDim,
  }),
  grid(params, _variant, caps) {
    const { batch, heads, headDim, pixels } = params;
    const channelTiles = subgroupPairsFit(params, caps) ? 1 : Math.ceil(headDim / (8 * channelsPerInvocation(params)));
    return grid1d(batch * heads * Math.ceil(pixels / OWN_PIXELS) * channelTiles, 1, caps);
  },
  cost(params, bytesPerAct) {
    const { batch, heads, headDim, pixels } = params;
    const elements = batch * heads * headDim * pixels;
    return {
      flops: batch * heads * pixels * (pixels * (8 * headDim + 11) + 8 * headDim),
      bytes: 6 * bytesPerAct * elements + 20 * batch * heads * paddedPixels(params),
    };
  },
  reference,
  cases: PAIR_CASES,
  tolerance: { f32: 4e-6, f16: 1e-3 },
};
