import { normalizeWeightBackward } from "../../kernels/network/normalize-weight-backward/kernel.js";
import { total } from "../../kernels/network/total/kernel.js";
import { weightScale } from "../../kernels/network/weight-scale/kernel.js";
import type { Rule } from "../graph/gradient.js";
import type { Graph, Tensor } from "../graph/graph.js";

/**
 * The effective weight w * scale of an MPConv, which is nowhere stored: what packs a weight multiplies. `scale` stands for it in
 * derivatives: its gradient is that of the effective weight, of w's shape.
 */
export interface EffectiveWeight {
  /** As it is stored: one row per output channel. */
  readonly w: Tensor;
  /** [rows] */
  readonly scale: Tensor;
}

/** w / (1e-4 + RMS of its row) * factor * gain / sqrt(fan-in) (EDM2, eq. 66), with its derivative among the rules. */
export function effectiveWeight(
  graph: Graph,
  rules: Map<Tensor, Rule>,
  name: string,
  { w, gain, factor }: { readonly w: Tensor; readonly gain?: Tensor | undefined; readonly factor: number },
): EffectiveWeight {
  const rows = w.shape[0]!;
  const params = { rows, fanIn: w.length / rows, gained: gain !== undefined, factor };
  const scale = graph.run(name, weightScale, params, { w, gain }, { y: [rows] }).y;
  rules.set(scale, {
    *pull(g) {
      const shapes = { dw: w.shape, dgain: [rows] };
      const { dw, dgain } = graph.run(`d ${name}`, normalizeWeightBackward, params, { w, gain, g }, shapes);
      yield [w, dw];
      if (!gain) return;
      const sum = { count: rows, index: 0, length: 1 };
      yield [gain, graph.run(`d ${name} (gain)`, total, sum, { x: dgain }, { y: gain.shape }).y];
    },
  });
  return { w, scale };
}
