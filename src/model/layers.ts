import { type ConvEpilogue, conv, packConvWeight, packedWeightLength } from "../../kernels/conv/kernel.js";
import { linear } from "../../kernels/linear/kernel.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { foldRecipe } from "./weights.js";

/** A graph under construction for one batch size. */
export interface Build {
  readonly graph: Graph;
  readonly batch: number;
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

/** MPConv as a node: its weight is folded and packed at load (EDM2, eq. 66). */
export function mpConv(build: Build, name: string, spec: MpConvSpec, x: Tensor): Tensor {
  const { graph, batch } = build;
  const { inChannels, outChannels, height, width, kernel, weight, gain, factor = 1, epilogue } = spec;
  const fanIn = inChannels * kernel * kernel;
  // The factor is part of the name, so that a capture of the raw layer gets a weight of its own.
  const w = graph.constant(
    `${weight} * ${factor}`,
    [packedWeightLength(outChannels, inChannels, kernel)],
    "act",
    foldRecipe(weight, outChannels, { gain, factor, pack: (folded) => packConvWeight(folded, outChannels, fanIn) }),
  );
  const params = { batch, inChannels, outChannels, height, width, kernel, epilogue };
  const shape = [batch, outChannels, height, width];
  return graph.run(name, conv, params, { x, w, c: spec.c, r: spec.r }, { y: shape }).y;
}

/** A linear MPConv on embeddings, f32 throughout. */
export function mpLinear(
  build: Build,
  name: string,
  spec: { inFeatures: number; outFeatures: number; weight: string; factor?: number },
  x: Tensor,
): Tensor {
  const { inFeatures, outFeatures, weight, factor = 1 } = spec;
  const shape = [outFeatures, inFeatures];
  const w = build.graph.constant(weight, shape, "f32", foldRecipe(weight, outFeatures, { factor }));
  const params = { batch: build.batch, inFeatures, outFeatures, addOne: false };
  return build.graph.run(name, linear, params, { x, w }, { y: [build.batch, outFeatures] }).y;
}

/** Factors of mp_sum(a, b, t) = a * first + b * second. */
export function mpSumFactors(t: number): { first: number; second: number } {
  const norm = Math.hypot(1 - t, t);
  return { first: (1 - t) / norm, second: t / norm };
}
