export interface PrecondInBackwardParams {
  /** Images. */
  readonly batch: number;
  /** Channels of dx; g has one more, the constant one's. */
  readonly channels: number;
  /** Height times width. */
  readonly pixels: number;
  /** Standard deviation of the data, 0.5 in EDM2. */
  readonly sigmaData: number;
}

export function reference(
  { batch, channels, pixels, sigmaData }: PrecondInBackwardParams,
  { g, sigma }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const size = channels * pixels;
  const dx = new Float64Array(batch * size);
  for (let n = 0; n < batch; n++) {
    const cIn = 1 / Math.sqrt(sigma![n]! ** 2 + sigmaData ** 2);
    for (let k = 0; k < size; k++) dx[n * size + k] = cIn * g![n * (channels + 1) * pixels + k]!;
  }
  return { dx };
}
