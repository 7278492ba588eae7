export interface MpSumWeightBackwardParams {
  /** Length of a, b and g. */
  readonly elements: number;
  /** Element type of a, b and g. */
  readonly type: "f32" | "act";
  /** Which entry of w. */
  readonly weightIndex: number;
  /** Length of w. */
  readonly weights: number;
}

/** Elements that one workgroup sums up. */
export const PIECE = 4096;

export function pieces(elements: number): number {
  return Math.ceil(elements / PIECE);
}

export function reference(
  { elements, weightIndex }: MpSumWeightBackwardParams,
  { a, b, w, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const stored = w![weightIndex]!;
  const t = Math.min(Math.max(stored, 0), 1);
  const passes = stored >= 0 && stored <= 1 ? 1 : 0;
  const cubed = ((1 - t) ** 2 + t ** 2) ** 1.5;
  const part = new Float64Array(pieces(elements));
  for (let i = 0; i < elements; i++)
    part[Math.floor(i / PIECE)]! += (passes * g![i]! * ((1 - t) * b![i]! - t * a![i]!)) / cubed;
  return { part };
}
