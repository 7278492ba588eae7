export interface ScaleParams {
  /** Values in all. */
  readonly elements: number;
}

export function reference(
  { elements }: ScaleParams,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const { x, factor } = inputs;
  return { y: Float64Array.from({ length: elements }, (_, i) => factor![0]! * x![i]!) };
}
