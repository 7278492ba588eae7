export interface ConvWeightBackwardParams {
  readonly batch: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  /** Side of the filter. */
  readonly kernel: 1 | 3;
}

export function reference(
  { batch, inChannels, outChannels, height, width, kernel }: ConvWeightBackwardParams,
  { x, g }: Readonly<Record<string, ArrayLike<number>>>,
): Record<string, Float64Array> {
  const dw = new Float64Array(outChannels * inChannels * kernel * kernel);
  const pad = (kernel - 1) / 2;
  for (let n = 0; n < batch; n++)
    for (let o = 0; o < outChannels; o++)
      for (let c = 0; c < inChannels; c++)
        for (let i = 0; i < kernel; i++)
          for (let j = 0; j < kernel; j++) {
            let sum = 0;
            for (let h = Math.max(0, pad - i); h < Math.min(height, height + pad - i); h++)
              for (let v = Math.max(0, pad - j); v < Math.min(width, width + pad - j); v++)
                sum +=
                  g![((n * outChannels + o) * height + h) * width + v]! *
                  x![((n * inChannels + c) * height + h + i - pad) * width + v + j - pad]!;
            dw[((o * inChannels + c) * kernel + i) * kernel + j]! += sum;
          }
  return { dw };
}
