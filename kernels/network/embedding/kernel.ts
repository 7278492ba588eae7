import { type Case, grid1d, type Kernel } from "../../../src/gpu/contract.js";
import { read, write } from "../../lib/buffers.js";
import { spectrum } from "../../lib/cases.js";
import { addressable, inRange, nonNegativeInteger, positiveInteger } from "../../lib/check.js";
import { LINEAR_WEIGHT, linearWeightLength, packLinearWeight } from "../../lib/linear-weight.js";
import math from "../../lib/math.wgsl.js";
import mpFourier from "../../lib/mp-fourier.wgsl.js";
import silu from "../../lib/mp-silu-loaded.wgsl.js";
import source from "./kernel.wgsl.js";
import { type EmbeddingParams, reference } from "./reference.js";

/** Levels [N] and one-hot classes [N, L] (f32) to embeddings [N, M] (f32), by packed linear weights. */
export const embedding: Kernel<EmbeddingParams> = {
  name: "embedding",
  source: [
    { file: "kernels/lib/math.wgsl", text: math },
    { file: "kernels/lib/mp-fourier.wgsl", text: mpFourier },
    { file: "kernels/lib/mp-silu-loaded.wgsl", text: silu },
    { file: "kernels/network/embedding/kernel.wgsl", text: source },
  ],
  check(params) {
    const { batch, noiseChannels, labelDim, outFeatures, t } = params;
    for (const name of ["batch", "noiseChannels", "outFeatures"] as const)
      positiveInteger("embedding", name, params[name]);
    nonNegativeInteger("embedding", "labelDim", labelDim);
    inRange("embedding", "t", t, 0, 1);
    addressable("embedding", "noise", linearWeightLength(outFeatures, noiseChannels));
    addressable("embedding", "labels", batch, Math.max(1, labelDim));
    addressable("embedding", "label", linearWeightLength(outFeatures, Math.max(1, labelDim)));
    addressable("embedding", "y", batch, outFeatures);
  },
  buffers({ batch, noiseChannels, labelDim, outFeatures }) {
    return [
      read("sigma", batch),
      read("freqs", noiseChannels),
      read("phases", noiseChannels),
      read("labels", batch * labelDim),
      read("noise", linearWeightLength(outFeatures, noiseChannels), "weight"),
      read("label", linearWeightLength(outFeatures, labelDim), "weight"),
      write("y", batch * outFeatures),
    ];
  },
  variant: ({ labelDim }) => ({
    key: labelDim > 0 ? "labels" : "",
    prelude: `alias F = f32;\n${LINEAR_WEIGHT}const LABELS: bool = ${labelDim > 0};\n`,
  }),
  uniforms({ batch, noiseChannels, labelDim, outFeatures, t }) {
    const norm = Math.sqrt((1 - t) ** 2 + t ** 2);
    return { batch, noiseChannels, labelDim, outFeatures, weight_a: (1 - t) / norm, weight_b: t / norm };
  },
  grid: ({ batch, outFeatures }, _variant, caps) => grid1d(Math.ceil(outFeatures / 8) * Math.ceil(batch / 4), 1, caps),
  cost({ batch, noiseChannels, labelDim, outFeatures }, _bytesPerAct, bytesPerWeight) {
    const inFeatures = noiseChannels + labelDim;
    return {
      flops: batch * (60 * noiseChannels + outFeatures * (2 * inFeatures + 8)),
      bytes: 4 * batch * (1 + labelDim + outFeatures) + 8 * noiseChannels + bytesPerWeight * outFeatures * inFeatures,
    };
  },
  reference,
  cases: [
    embeddingCase("one by one", { batch: 1, noiseChannels: 1, labelDim: 1, outFeatures: 1, t: 0.5 }),
    embeddingCase("odd sizes", { batch: 5, noiseChannels: 37, labelDim: 6, outFeatures: 13, t: 0.3 }),
    embeddingCase("without classes", { batch: 6, noiseChannels: 66, labelDim: 0, outFeatures: 19, t: 0 }),
    embeddingCase("a network's", { batch: 16, noiseChannels: 192, labelDim: 1000, outFeatures: 768, t: 0.5 }),
  ],
  tolerance: { f32: 2e-6, f16: 2e-6 },
};

/** The padding of the weights is zero. */
function embeddingCase(name: string, params: EmbeddingParams): Case<EmbeddingParams> {
  const { noiseChannels, labelDim, outFeatures } = params;
  const levels = spectrum(2e-3, 80, 6);
  const weight = (inFeatures: number, random: () => number) => {
    const rows = Float32Array.from({ length: outFeatures * inFeatures }, () => random() / Math.sqrt(inFeatures));
    return packLinearWeight(rows, outFeatures, inFeatures);
  };
  return {
    name,
    params,
    inputs(buffer, length, random) {
      if (buffer === "noise") return weight(noiseChannels, random);
      if (buffer === "label") return weight(labelDim, random);
      return buffer === "sigma" || buffer === "freqs" || buffer === "phases" ? levels(buffer, length) : undefined;
    },
  };
}
