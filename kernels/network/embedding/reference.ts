import type { Inputs } from "../../../src/gpu/contract.js";

export interface EmbeddingParams {
  /** Noise levels. */
  readonly batch: number;
  /** Fourier features of a level. */
  readonly noiseChannels: number;
  /** Classes; 0: none. */
  readonly labelDim: number;
  readonly outFeatures: number;
  /** Share of the classes in [0, 1]; of no meaning without them. */
  readonly t: number;
}

export function reference({ batch, noiseChannels, labelDim, outFeatures, t }: EmbeddingParams, inputs: Inputs) {
  const { sigma, freqs, phases, labels, noise, label } = inputs;
  const norm = Math.hypot(1 - t, t);
  const product = (w: ArrayLike<number>, row: number, x: readonly number[]) => {
    const stride = Math.ceil(x.length / 4) * 4;
    return x.reduce((sum, value, k) => sum + value * w[row * stride + k]!, 0);
  };
  const y = new Float64Array(batch * outFeatures);
  for (let n = 0; n < batch; n++) {
    const v = Math.log(sigma![n]!) / 4;
    const features = Array.from(
      { length: noiseChannels },
      (_, c) => Math.SQRT2 * Math.cos(v * freqs![c]! + phases![c]!),
    );
    const classes = Array.from({ length: labelDim }, (_, k) => labels![n * labelDim + k]!);
    for (let m = 0; m < outFeatures; m++) {
      const a = product(noise!, m, features);
      const sum = labelDim > 0 ? ((1 - t) * a + t * product(label!, m, classes)) / norm : a;
      y[n * outFeatures + m] = sum / (1 + Math.exp(-sum)) / 0.596;
    }
  }
  return { y };
}
