import { grid1d, type Kernel, type Variant } from "../../src/gpu/contract.js";
import { type AttentionBackwardParams, checkAttention, PAIR_CASES, paddedPixels } from "./attention-backward.js";
import { channelsPerInvocation, OWN_PIXELS, type Side, tiledPairs } from "./attention-pairs.js";
import text from "./attention-pairs.wgsl.js";
import { subgroupPairs, subgroupPairsFit } from "./attention-pairs-subgroup.js";
import { attentionParams, attentionUniforms } from "./attention-params.js";
import { attentionRows } from "./attention-rows.js";
import { read, write } from "./buffers.js";

/**
 * The contract of a kernel over pairs of a query and a key but for its cost and reference: qkv, g, norms and totals
 * [N * heads, padded P] to rows of gqkv.
 * @param totals `read`, or `write` for the kernel that makes them
 */
export function overPairs(
  name: string,
  source: string,
  side: Side,
  totals: typeof read,
): Omit<Kernel<AttentionBackwardParams>, "cost" | "reference"> {
  return {
    name,
    source: [
      attentionParams,
      { file: "kernels/lib/attention-pairs.wgsl", text },
      { file: `kernels/network/${name}/kernel.wgsl`, text: source },
    ],
    check: (params) => checkAttention(name, params),
    buffers(params) {
      const { batch, heads, headDim, pixels } = params;
      const length = batch * heads * headDim * pixels;
      const padded = batch * heads * paddedPixels(params);
      return [
        read("qkv", 3 * length, "act"),
        read("g", length, "act"),
        read("norms", 4 * padded),
        totals("totals", padded),
        write("gqkv", 3 * length, "act"),
      ];
    },
    variant(params, caps): Variant {
      const { pixels } = params;
      const rows = attentionRows({ pixels, reads: ["qkv", "g"], writes: ["gqkv"] }, caps);
      if (subgroupPairsFit(params, caps)) {
        return { key: `subgroup8 ${rows.key}`, prelude: rows.text + subgroupPairs(side), needs: ["subgroups"] };
      }
      const channels = channelsPerInvocation(params);
      return { key: `tiled c${channels} ${rows.key}`, prelude: rows.text + tiledPairs(side, channels) };
    },
    uniforms: attentionUniforms,
    grid(params, _variant, caps) {
      const { batch, heads, headDim, pixels } = params;
      const channelTiles = subgroupPairsFit(params, caps)
        ? 1
        : Math.ceil(headDim / (8 * channelsPerInvocation(params)));
      return grid1d(batch * heads * Math.ceil(pixels / OWN_PIXELS) * channelTiles, 1, caps);
    },
    cases: PAIR_CASES,
    tolerance: { f32: 4e-6, f16: 1e-3 },
  };
}
