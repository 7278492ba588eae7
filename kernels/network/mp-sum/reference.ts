import type { Inputs } from "../../../src/gpu/contract.js";

export interface MpSumParams {
  /** Length of a, b and out. */
  readonly elements: number;
  /** Elements of one image: decides between scalar and vector access, which may not depend on the batch. Default: all. */
  readonly perImage?: number;
  /** Element type of a, b and out. */
  readonly type: "f32" | "act";
  /** Share of b in [0, 1]; null: the learned weight w[weightIndex], clipped to [0, 1]. */
  readonly t: number | null;
  /** Which entry of w; of no meaning unless t is null. */
  readonly weightIndex: number;
  /** Length of w; of no meaning unless t is null. */
  readonly weights: number;
  /** Bound of the clip after the sum; null: no clip. */
  readonly clip: number | null;
}

export function reference({ elements, t: constant, weightIndex, clip }: MpSumParams, { a, b, w }: Inputs) {
  const t = constant ?? Math.min(Math.max(w![weightIndex]!, 0), 1);
  const norm = Math.sqrt((1 - t) ** 2 + t ** 2);
  const out = new Float64Array(elements);
  for (let i = 0; i < elements; i++) {
    const sum = ((1 - t) * a![i]! + t * b![i]!) / norm;
    out[i] = clip !== null && Number.isFinite(sum) ? Math.min(Math.max(sum, -clip), clip) : sum;
  }
  return { out };
}
