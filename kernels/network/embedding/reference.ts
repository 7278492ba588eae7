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

/** Values of a row of the weight: W_noise's, rounded up to a multiple of 32, and W_label's, to one of 4. */
export const embeddingStride = (noiseChannels: number, labelDim: number): number =>
  32 * Math.ceil(noiseChannels / 32) + 4 * Math.ceil(labelDim / 4);

export function reference({ batch, noiseChannels, labelDim, outFeatures, t }: EmbeddingParams, inputs: Inputs) {
  const { sigma, freqs, phases, labels, w } = inputs;
  const norm = Math.hypot(1 - t, t);
  const stride = embeddingStride(noiseChannels, labelDim);
  const first = embeddingStride(noiseChannels, 0);
  const y = new Float64Array(batch * outFeatures);
  for (let n = 0; n < batch; n++) {
    const v = Math.log(sigma![n]!) / 4;
    for (let m = 0; m < outFeatures; m++) {
      let [a, b] = [0, 0];
      for (let c = 0; c < noiseChannels; c++)
        a += Math.SQRT2 * Math.cos(v * freqs![c]! + phases![c]!) * w![m * stride + c]!;
      for (let k = 0; k < labelDim; k++) b += labels![n * labelDim + k]! * w![m * stride + first + k]!;
      const sum = labelDim > 0 ? ((1 - t) * a + t * b) / norm : a;
      y[n * outFeatures + m] = sum / (1 + Math.exp(-sum)) / 0.596;
    }
  }
  return { y };
}
