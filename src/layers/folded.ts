import type { ConvEpilogue } from "../../kernels/lib/conv-epilogue.js";
import { linear, linearWeightLength, packLinearWeight } from "../../kernels/network/linear/kernel.js";
import type { Tensor } from "../graph/graph.js";
import { type ConvContext, convolve } from "./convolution.js";
import { foldRecipe, foldWeight } from "./weights.js";

/** A graph under construction for one batch size. */
export interface Build extends ConvContext {
  /** Whether an intermediate of this name is to be kept; may cost extra nodes where a fusion hides it. */
  wants(name: string): boolean;
  /** Reports an intermediate by its name; kept when wanted. */
  tap(name: string, tensor: Tensor): void;
}

export interface MpConvSpec {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: 1 | 3;
  /** Checkpoint names of the weight and of its gain, if it has one. */
  readonly weight: string;
  readonly gain?: string;
  /** Folded into the weight, for instance the factor of mp_sum. */
  readonly factor?: number;
  readonly epilogue: ConvEpilogue;
  readonly c?: Tensor;
  readonly r?: Tensor;
}

/** MPConv as one or more nodes: its weight is folded and packed at load (EDM2, eq. 66), for the layer's algorithm. */
export function mpConv(build: Build, name: string, spec: MpConvSpec, x: Tensor): Tensor {
  const { weight, gain, factor = 1, ...layer } = spec;
  const fanIn = spec.inChannels * spec.kernel ** 2;
  const folded = {
    // The factor is part of the name, so that a capture of the raw layer gets a weight of its own.
    name: `${weight} * ${factor}`,
    sources: gain === undefined ? [weight] : [weight, gain],
    rows: ([raw, gainValue]: readonly Float32Array[], first: number, count: number) =>
      foldWeight(raw!.subarray(first * fanIn, (first + count) * fanIn), count, factor * (gainValue?.[0] ?? 1)),
  };
  return convolve(build, name, { ...layer, weight: folded }, x);
}

/** A linear MPConv on embeddings: activations are f32 throughout. */
export function mpLinear(
  build: Build,
  name: string,
  spec: { inFeatures: number; outFeatures: number; weight: string; factor?: number },
  x: Tensor,
): Tensor {
  const { inFeatures, outFeatures, weight, factor = 1 } = spec;
  const pack = (folded: Float32Array) => packLinearWeight(folded, outFeatures, inFeatures);
  const shape = [linearWeightLength(outFeatures, inFeatures)];
  const w = build.graph.constant(weight, shape, "weight", foldRecipe(weight, outFeatures, { factor, pack }));
  const params = { batch: build.batch, inFeatures, outFeatures, addOne: false };
  return build.graph.run(name, linear, params, { x, w }, { y: [build.batch, outFeatures] }).y;
}

/** Factors of mp_sum(a, b, t) = a * first + b * second. */
export function mpSumFactors(t: number): { first: number; second: number } {
  const norm = Math.hypot(1 - t, t);
  return { first: (1 - t) / norm, second: t / norm };
}
