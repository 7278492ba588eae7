export interface LinearWeightBackwardParams {
  readonly batch: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
}

export function reference(
  { batch, inFeatures, outFeatures }: LinearWeightBackwardParams,
  { x, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const dw = new Float64Array(outFeatures * inFeatures);
  for (let n = 0; n < batch; n++)
    for (let m = 0; m < outFeatures; m++)
      for (let k = 0; k < inFeatures; k++)
        dw[m * inFeatures + k]! += g![n * outFeatures + m]! * x![n * inFeatures + k]!;
  return { dw };
}
