export interface PrecondOutBackwardParams {
  /** Images. */
  readonly batch: number;
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** Standard deviation of the data, 0.5 in EDM2. */
  readonly sigmaData: number;
  /** Whether the gradient of x is asked for, too. */
  readonly input: boolean;
}

export function reference(
  { batch, channels, pixels, sigmaData, input }: PrecondOutBackwardParams,
  { g, sigma }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const size = channels * pixels;
  const df = new Float64Array(batch * size);
  const dx = new Float64Array(input ? batch * size : 0);
  for (let n = 0; n < batch; n++) {
    const q = sigma![n]! ** 2 + sigmaData ** 2;
    for (let i = n * size; i < (n + 1) * size; i++) {
      df[i] = ((sigma![n]! * sigmaData) / Math.sqrt(q)) * g![i]!;
      if (input) dx[i] = (sigmaData ** 2 / q) * g![i]!;
    }
  }
  return { df, dx };
}
