import type { AttentionBackwardParams } from "../../kernels/lib/attention-backward.js";
import { paddedPixels } from "../../kernels/lib/attention-backward.js";
import { attentionBackwardKeys } from "../../kernels/network/attention-backward-keys/kernel.js";
import { attentionBackwardNorms } from "../../kernels/network/attention-backward-norms/kernel.js";
import { attentionBackwardQueries } from "../../kernels/network/attention-backward-queries/kernel.js";
import type { Graph, Tensor } from "../graph/graph.js";

/**
 * Appends the gradient of cosine attention: three nodes, and no P x P tensor.
 * @param given qkv [N, heads * d * 3, P], y [N, heads * d, P] and its gradient g
 * @returns the gradient of qkv
 */
export function attentionGradient(
  graph: Graph,
  name: string,
  params: AttentionBackwardParams,
  given: { readonly qkv: Tensor; readonly y: Tensor; readonly g: Tensor },
): Tensor {
  const { batch, heads } = params;
  const padded = paddedPixels(params);
  const { norms } = graph.run(`${name}.norms`, attentionBackwardNorms, params, given, {
    norms: [batch * heads, 4, padded],
  });
  const { totals, gqkv } = graph.run(
    `${name}.queries`,
    attentionBackwardQueries,
    params,
    { ...given, norms },
    { totals: [batch * heads, padded], gqkv: given.qkv.shape },
  );
  graph.run(`${name}.keys`, attentionBackwardKeys, params, { ...given, norms, totals }, { gqkv });
  return gqkv;
}
