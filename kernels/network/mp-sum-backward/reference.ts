export interface MpSumBackwardParams {
  /** Length of a, b, g, da and db. */
  readonly elements: number;
  /** Elements of one image: decides between scalar and vector access, which may not depend on the batch. Default: all. */
  readonly perImage?: number;
  /** Element type of all but w. */
  readonly type: "f32" | "act";
  /** Share of b in [0, 1]; null: the learned weight w[weightIndex], clipped to [0, 1]. */
  readonly t: number | null;
  readonly weightIndex: number;
  /** Length of w; of no meaning unless t is null. */
  readonly weights: number;
  /** Bound of the clip after the sum; null: no clip, and neither a nor b is read. */
  readonly clip: number | null;
}

/** Gradients pass where the sum lay within the bounds, ends included. */
export function reference(
  { elements, t: constant, weightIndex, clip }: MpSumBackwardParams,
  { a, b, w, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const t = constant ?? Math.min(Math.max(w![weightIndex]!, 0), 1);
  const norm = Math.sqrt((1 - t) ** 2 + t ** 2);
  const da = new Float64Array(elements);
  const db = new Float64Array(elements);
  for (let i = 0; i < elements; i++) {
    if (clip !== null && Math.abs(((1 - t) * a![i]! + t * b![i]!) / norm) > clip) continue;
    da[i] = (g![i]! * (1 - t)) / norm;
    db[i] = (g![i]! * t) / norm;
  }
  return { da, db };
}
