export interface TotalParams {
  /** Length of x. */
  readonly count: number;
  /** Where the sum goes, and the length of y, which is 0 elsewhere. */
  readonly index: number;
  readonly length: number;
}

export function reference(
  { count, index, length }: TotalParams,
  { x }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const y = new Float64Array(length);
  for (let i = 0; i < count; i++) y[index]! += x![i]!;
  return { y };
}
