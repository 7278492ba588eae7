import { type Case, grid1d } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { spectrum } from "../../lib/cases.js";
import { inRange, nonNegativeInteger } from "../../lib/check.js";
import { elementwise } from "../../lib/elementwise.js";
import { LINEAR_WEIGHT } from "../../lib/linear-weight.js";
import math from "../../lib/math.wgsl.js";
import mpFourier from "../../lib/mp-fourier.wgsl.js";
import silu from "../../lib/mp-silu-loaded.wgsl.js";
import source from "./kernel.wgsl.js";
import { type EmbeddingParams, embeddingStride, reference } from "./reference.js";

/** Levels [N] and one-hot classes [N, L] (f32) to embeddings [N, M] (f32). */
export const embedding = elementwise<EmbeddingParams>({
  name: "embedding",
  group: "network",
  source,
  parts: [
    { file: "kernels/lib/math.wgsl", text: math },
    { file: "kernels/lib/mp-fourier.wgsl", text: mpFourier },
    { file: "kernels/lib/mp-silu-loaded.wgsl", text: silu },
  ],
  counts: ({ batch, outFeatures, noiseChannels }) => ({ batch, outFeatures, noiseChannels }),
  check({ labelDim, t }) {
    nonNegativeInteger("embedding", "labelDim", labelDim);
    inRange("embedding", "t", t, 0, 1);
  },
  threads: ({ batch, outFeatures }) => batch * outFeatures,
  buffers: ({ batch, noiseChannels, labelDim, outFeatures }, values) => [
    read("sigma", batch),
    read("freqs", noiseChannels),
    read("phases", noiseChannels),
    read("labels", batch * labelDim),
    read("w", outFeatures * embeddingStride(noiseChannels, labelDim), "weight"),
    write("y", values),
  ],
  flags: ({ labelDim }) => ({ LABELS: labelDim > 0 }),
  prelude: () => `alias F = f32;\n${LINEAR_WEIGHT}`,
  uniforms({ t }) {
    const norm = Math.sqrt((1 - t) ** 2 + t ** 2);
    return { weight_a: (1 - t) / norm, weight_b: t / norm };
  },
  grid: ({ batch, outFeatures }, _variant, caps) => grid1d(Math.ceil(outFeatures / 16) * Math.ceil(batch / 4), 1, caps),
  flops: ({ batch, noiseChannels, labelDim }, values) =>
    60 * batch * noiseChannels + values * (2 * (noiseChannels + labelDim) + 8),
  reference,
  cases: [
    embeddingCase("one by one", { batch: 1, noiseChannels: 1, labelDim: 1, outFeatures: 1, t: 0.5 }),
    embeddingCase("odd sizes", { batch: 5, noiseChannels: 37, labelDim: 6, outFeatures: 13, t: 0.3 }),
    embeddingCase("without classes", { batch: 6, noiseChannels: 66, labelDim: 0, outFeatures: 19, t: 0 }),
    embeddingCase("a network's", { batch: 16, noiseChannels: 192, labelDim: 1000, outFeatures: 768, t: 0.5 }),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
});

/** W_noise and W_label, row-major [M, C] and [M, L], as the kernel reads them. */
export function packEmbeddingWeight(noise: Float32Array, label: Float32Array, outFeatures: number) {
  const [noiseChannels, labelDim] = [noise.length / outFeatures, label.length / outFeatures];
  const stride = embeddingStride(noiseChannels, labelDim);
  const first = embeddingStride(noiseChannels, 0);
  const out = new Float32Array(outFeatures * stride);
  for (let m = 0; m < outFeatures; m++) {
    out.set(noise.subarray(m * noiseChannels, (m + 1) * noiseChannels), m * stride);
    out.set(label.subarray(m * labelDim, (m + 1) * labelDim), m * stride + first);
  }
  return out;
}

/** The padding of the weight is zero. */
function embeddingCase(name: string, params: EmbeddingParams): Case<EmbeddingParams> {
  const { noiseChannels, labelDim, outFeatures } = params;
  const levels = spectrum(2e-3, 80, 6);
  return {
    name,
    params,
    inputs(buffer, length, random) {
      const rows = (width: number) =>
        Float32Array.from({ length: outFeatures * width }, () => random() / Math.sqrt(width));
      if (buffer === "w") return packEmbeddingWeight(rows(noiseChannels), rows(labelDim), outFeatures);
      return buffer === "labels" ? undefined : levels(buffer, length);
    },
  };
}
