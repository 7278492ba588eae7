import { paddedPixels } from "../../lib/attention-backward.js";
import type { Vjp } from "../../lib/vjp.js";
import { attentionBackwardKeys } from "../attention-backward-keys/kernel.js";
import { attentionBackwardNorms } from "../attention-backward-norms/kernel.js";
import { attentionBackwardQueries } from "../attention-backward-queries/kernel.js";
import type { AttentionParams } from "./reference.js";

/** Three nodes: what both need of every pixel, the gradients of q, those of k and v. */
export const attentionVjp: Vjp<AttentionParams> = ({ tape, name, params, reads, writes, gradients }) => {
  const { qkv } = reads;
  const { y: g } = gradients;
  const heads = params.batch * params.heads;
  const { norms } = tape.run(
    `${name}.norms`,
    attentionBackwardNorms,
    params,
    { qkv, y: writes.y, g },
    { norms: [heads, 4, paddedPixels(params)] },
  );
  const { totals, gqkv } = tape.run(
    `${name}.queries`,
    attentionBackwardQueries,
    params,
    { qkv, g, norms },
    { totals: [heads, paddedPixels(params)], gqkv: qkv!.shape },
  );
  // Into the rest of the same tensor.
  tape.run(`${name}.keys`, attentionBackwardKeys, params, { qkv, g, norms, totals }, { gqkv });
  return { qkv: gqkv };
};
