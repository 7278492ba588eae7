export interface AxpbyParams {
  /** Length of a, b and y. */
  readonly elements: number;
  /** Elements of one image: decides between scalar and vector access, which may not depend on the batch. Default: all. */
  readonly perImage?: number;
  /** Element type of a, b and y. */
  readonly type: "f32" | "act";
  readonly alpha: number;
  /** null: y = alpha a, and there is no b. */
  readonly beta: number | null;
}

export function reference(
  { elements, alpha, beta }: AxpbyParams,
  { a, b }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const y = Float64Array.from({ length: elements }, (_, i) => alpha * a![i]! + (beta === null ? 0 : beta * b![i]!));
  return { y };
}
