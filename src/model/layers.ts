import { conv, packConvWeight, packedWeightLength } from "../../kernels/conv/kernel.js";
import { gemm, gemmWeightLength, packGemmWeight } from "../../kernels/gemm/kernel.js";
import type { ConvEpilogue } from "../../kernels/lib/conv-epilogue.js";
import { POINTS, panelFor, tiling } from "../../kernels/lib/winograd.js";
import { linear } from "../../kernels/linear/kernel.js";
import { winogradInput } from "../../kernels/winograd-input/kernel.js";
import { winogradOutput } from "../../kernels/winograd-output/kernel.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { convAlgorithm } from "./conv-algorithm.js";
import { foldRecipe } from "./weights.js";
import { packWinogradWeight } from "./winograd-weight.js";

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

/** MPConv as one or more nodes: its weight is folded and packed at load (EDM2, eq. 66), for the layer's algorithm. */
export function mpConv(build: Build, name: string, spec: MpConvSpec, x: Tensor): Tensor {
  const { graph, batch } = build;
  const { inChannels, outChannels, height, width, kernel, weight, gain, factor = 1, epilogue } = spec;
  const algorithm = convAlgorithm(spec);
  const constant = (length: number, pack: (folded: Float32Array) => Float32Array) =>
    // The factor is part of the name, so that a capture of the raw layer gets a weight of its own.
    graph.constant(
      `${weight} * ${factor}`,
      [length],
      "weight",
      foldRecipe(weight, outChannels, { gain, factor, pack }),
    );
  const shape = [batch, outChannels, height, width];
  const operands = { c: spec.c, r: spec.r };

  if (algorithm === "gemm") {
    const w = constant(gemmWeightLength(1, outChannels, inChannels), (folded) =>
      packGemmWeight(folded, 1, outChannels, inChannels),
    );
    const product = { groups: 1, images: batch, rows: outChannels, depth: inChannels, columns: height * width };
    return graph.run(name, gemm, { ...product, type: "act" as const, epilogue }, { x, w, ...operands }, { y: shape }).y;
  }
  if (algorithm === "winograd") {
    const w = constant(gemmWeightLength(POINTS, outChannels, inChannels), (folded) =>
      packWinogradWeight(folded, outChannels, inChannels),
    );
    const size = { batch, height, width, panel: panelFor(batch, height, width) };
    const { blocks, panels, panelColumns } = tiling(batch, height, width, size.panel);
    // Flat: nothing but the next node reads it, and its padding may hold anything.
    const operand = (channels: number) => [panels * channels * POINTS * panelColumns];
    const input = { ...size, channels: inChannels };
    const { v } = graph.run(`${name}.input`, winogradInput, input, { x }, { v: operand(inChannels) });
    const product = { groups: POINTS, images: panels, rows: outChannels, depth: inChannels, columns: panelColumns };
    const plain = { ...product, live: 4 * blocks, type: "f32" as const, epilogue: { kind: "none" as const } };
    const { y: m } = graph.run(`${name}.gemm`, gemm, plain, { x: v, w }, { y: operand(outChannels) });
    const output = { ...size, channels: outChannels, epilogue };
    return graph.run(name, winogradOutput, output, { m, ...operands }, { y: shape }).y;
  }
  const fanIn = inChannels * kernel * kernel;
  const w = constant(packedWeightLength(outChannels, inChannels, kernel), (folded) =>
    packConvWeight(folded, outChannels, fanIn),
  );
  const params = { batch, inChannels, outChannels, height, width, kernel, epilogue };
  return graph.run(name, conv, params, { x, w, ...operands }, { y: shape }).y;
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
