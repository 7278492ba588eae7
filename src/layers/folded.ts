import type { ConvEpilogue } from "../../kernels/lib/conv-epilogue.js";
import { linearWeightLength, packLinearWeight } from "../../kernels/lib/linear-weight.js";
import { embedding as embeddingKernel, packEmbeddingWeight } from "../../kernels/network/embedding/kernel.js";
import { embeddingStride } from "../../kernels/network/embedding/reference.js";
import { linear as linearKernel } from "../../kernels/network/linear/kernel.js";
import type { Tensor } from "../graph/graph.js";
import { BINDING_BYTES, type ConvContext, convolve, type LayerWeight } from "./convolution.js";
import {
  type Build,
  type ConvLayer,
  type EmbeddingLayer,
  type Layers,
  type LinearLayer,
  mpSumFactors,
  type ScaleLayer,
  type Scales,
} from "./layers.js";
import { foldRecipe, foldWeight, plainRecipe } from "./weights.js";

export interface MpConvSpec extends ConvLayer {
  /** Folded into the weight, for instance the factor of mp_sum. */
  readonly factor?: number;
  readonly epilogue: ConvEpilogue;
  readonly c?: Tensor;
  readonly r?: Tensor;
}

/** MPConv as one or more nodes: its weight is folded and packed at load (EDM2, eq. 66), for the layer's algorithm. */
export function mpConv(build: ConvContext, name: string, spec: MpConvSpec, x: Tensor): Tensor {
  const { weight: _weight, gain: _gain, factor: _factor, ...layer } = spec;
  return convolve(build, name, { ...layer, weight: foldedWeight(spec) }, x);
}

/** The effective weight of an MPConv, rows normalised, gain and factor applied. */
export function foldedWeight(layer: ConvLayer & { readonly factor?: number }): LayerWeight {
  const { weight, gain, factor = 1, inChannels, kernel } = layer;
  const fanIn = inChannels * kernel ** 2;
  return {
    // The factor is part of the name, so that a capture of the raw layer gets a weight of its own.
    name: `${weight} * ${factor}`,
    sources: gain === undefined ? [weight] : [weight, gain],
    rows: ([raw, gainValue], first, count) =>
      foldWeight(raw!.subarray(first * fanIn, (first + count) * fanIn), count, factor * (gainValue?.[0] ?? 1)),
  };
}

/** Weights as constants, made once at load; what follows a convolution is its epilogue. */
export const folded: Layers = {
  conv: (build, name, layer, x) => mpConv(build, name, { ...layer, epilogue: { kind: "none" } }, x),
  convScaled(build, name, layer, { c, stride, offset }, x) {
    return mpConv(build, name, { ...layer, epilogue: { kind: "scale_silu", offset, stride }, c }, x);
  },
  convSummed(build, name, layer, { r, t, clip }, x) {
    const { first, second } = mpSumFactors(t);
    const epilogue = { kind: "sum_clip" as const, residual: first, clip };
    return mpConv(build, name, { ...layer, factor: second, epilogue, r }, x);
  },
  linear,
  embedding,
  scales,
  stored: ({ graph }, name, length) => graph.constant(name, [length], "f32", plainRecipe(name)),
};

function linear(build: Build, name: string, layer: LinearLayer, x: Tensor): Tensor {
  const { inFeatures, outFeatures, weight, factor = 1 } = layer;
  const pack = (rows: Float32Array) => packLinearWeight(rows, outFeatures, inFeatures);
  const shape = [linearWeightLength(outFeatures, inFeatures)];
  const w = build.graph.constant(weight, shape, "weight", foldRecipe(weight, outFeatures, { factor, pack }));
  const params = { batch: build.batch, inFeatures, outFeatures, addOne: false };
  return build.graph.run(name, linearKernel, params, { x, w }, { y: [build.batch, outFeatures] }).y;
}

function embedding(
  build: Build,
  name: string,
  layer: EmbeddingLayer,
  sigma: Tensor,
  labels: Tensor | undefined,
  into: Tensor | readonly number[],
): Tensor {
  const { prefix, noiseChannels, outFeatures, labelBalance: t } = layer;
  const { batch, graph } = build;
  const labelDim = labels ? labels.length / batch : 0;
  const sources = [`${prefix}emb_noise.weight`, ...(labels ? [`${prefix}emb_label.weight`] : [])];
  const w = graph.constant(name, [outFeatures * embeddingStride(noiseChannels, labelDim)], "weight", {
    sources,
    make: ([noise, label = new Float32Array(0)]) =>
      packEmbeddingWeight(
        foldWeight(noise!, outFeatures, 1),
        label.length > 0 ? foldWeight(label, outFeatures, Math.sqrt(labelDim)) : label,
        outFeatures,
      ),
  });
  const freqs = folded.stored(build, `${prefix}emb_fourier.freqs`, noiseChannels);
  const phases = folded.stored(build, `${prefix}emb_fourier.phases`, noiseChannels);
  const params = { batch, noiseChannels, labelDim, outFeatures, t };
  return graph.run(name, embeddingKernel, params, { sigma, freqs, phases, labels, w }, { y: into }).y;
}

/** As few products as possible, of half a binding each so that loading needs no large tensor. */
function scales(build: Build, name: string, blocks: readonly ScaleLayer[], emb: Tensor): Scales[] {
  const inFeatures = emb.length / build.batch;
  const { bindingBytes = BINDING_BYTES } = build;
  const runs: ScaleLayer[][] = [];
  let bytes = 0;
  for (const block of blocks) {
    const own = 4 * linearWeightLength(block.outFeatures, inFeatures);
    if (runs.length === 0 || bytes + own > bindingBytes / 2) {
      runs.push([]);
      bytes = 0;
    }
    runs.at(-1)!.push(block);
    bytes += own;
  }
  const part = (i: number) => (runs.length > 1 ? `${name} ${i + 1}/${runs.length}` : name);
  return runs.flatMap((run, i) => merged(build, part(i), run, emb));
}

/** One product for all of these blocks. */
function merged(build: Build, name: string, blocks: readonly ScaleLayer[], emb: Tensor): Scales[] {
  const inFeatures = emb.length / build.batch;
  const offsets: number[] = [];
  let stride = 0;
  for (const block of blocks) {
    offsets.push(stride);
    stride += block.outFeatures;
  }
  const w = build.graph.constant(name, [linearWeightLength(stride, inFeatures)], "weight", {
    sources: blocks.flatMap(({ key }) => [`${key}.emb_linear.weight`, `${key}.emb_gain`]),
    make(sources) {
      const all = new Float32Array(linearWeightLength(stride, inFeatures));
      blocks.forEach(({ outFeatures }, i) => {
        const rows = foldWeight(sources[2 * i]!, outFeatures, sources[2 * i + 1]![0]!);
        packLinearWeight(rows, outFeatures, inFeatures, all, offsets[i]!);
      });
      return all;
    },
  });
  const params = { batch: build.batch, inFeatures, outFeatures: stride, addOne: true };
  const c = build.graph.run(name, linearKernel, params, { x: emb, w }, { y: [build.batch, stride] }).y;
  return offsets.map((offset) => ({ c, stride, offset }));
}
