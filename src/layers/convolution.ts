/** One convolution as nodes of a graph, whatever the algorithm, in parts where a buffer would exceed one binding. */

import type { ConvEpilogue } from "../../kernels/lib/conv-epilogue.js";
import {
  operandLength,
  panelFor,
  partOf,
  tiling,
  winograd as transforms,
  type WinogradTile,
  winogradTile,
} from "../../kernels/lib/winograd.js";
import { conv, packConvWeight, packedWeightLength } from "../../kernels/network/conv/kernel.js";
import { gemm } from "../../kernels/network/gemm/kernel.js";
import { gemmWeightLength, packGemmWeight } from "../../kernels/network/gemm/weight.js";
import { implicitGemm } from "../../kernels/network/implicit-gemm/kernel.js";
import { winogradInput } from "../../kernels/network/winograd-input/kernel.js";
import { winogradOutput } from "../../kernels/network/winograd-output/kernel.js";
import type { DeviceRates } from "../gpu/contract.js";
import type { Graph, Tensor } from "../graph/graph.js";
import { type ConvAlgorithm, type ConvShape, convAlgorithm } from "./conv-algorithm.js";
import { implicitProduct, plainProduct, segmentsOf, winogradProduct } from "./conv-seconds.js";
import { packWinogradWeight, winogradWeightPieces } from "./winograd-weight.js";

/**
 * The most bytes of one buffer where a layer can be cut, unless the adapter's own limit is given: what every WebGPU adapter binds.
 * Counted in f32, so that the graph is the same in every precision.
 */
export const BINDING_BYTES = 128 * 2 ** 20;

export interface ConvContext {
  readonly graph: Graph;
  readonly batch: number;
  /** What the cost models of a GPU count with; absent: the adapter is software, or nothing is known of it. */
  readonly rates?: DeviceRates | undefined;
  /** Choices of a tuner, by `convKey`. */
  readonly tuning?: ReadonlyMap<string, string> | undefined;
  /**
   * Default: `BINDING_BYTES`. No bit of a result depends on it, but for layers whose whole weight exceeds it: 1x1 ones are
   * summed directly (no published network has one); in training 3x3 ones take fewer values a filter.
   */
  readonly bindingBytes?: number | undefined;
}

/** The adapter that a layer is planned for: what the context says, else the graph's. */
export function targetIn({ graph: { target }, rates, bindingBytes }: ConvContext) {
  return {
    rates: rates ?? target.rates,
    bindingBytes: bindingBytes ?? target.bindingBytes ?? BINDING_BYTES,
  };
}

/** What a layer's algorithm wants of its weight: `count` output channels from `first` on, packed to `length` values. */
export interface Packing extends Part {
  readonly algorithm: ConvAlgorithm;
  /** Of Winograd's algorithm. */
  readonly tile?: WinogradTile;
  readonly length: number;
}

/** A weight that nodes pack whenever the graph runs. */
export interface NodeWeight {
  /** The same for all parts of a layer's images. */
  packed(packing: Packing): Tensor;
  /** Choices that count what packing costs in every run. */
  readonly choices: {
    /** Whether Winograd's algorithm does. */
    pays(shape: ConvShape, rates: DeviceRates): boolean;
    /** Undefined: the layer's alone. */
    tile(shape: ConvShape, rates?: DeviceRates): WinogradTile | undefined;
  };
}

/** A layer's weight before it is packed, once, at load. */
export interface LayerWeight {
  /** Of the constant: all that its values depend on, but not the packing. */
  readonly name: string;
  /** Names of checkpoint tensors. */
  readonly sources: readonly string[];
  /** `count` rows of the effective weight [outChannels, inChannels * kernel^2] from row `first` on. */
  rows(sources: readonly Float32Array[], first: number, count: number): Float32Array;
  /** The layer's alone. */
  readonly choices?: undefined;
}

export interface Convolution extends ConvShape {
  readonly weight: LayerWeight | NodeWeight;
  readonly epilogue: ConvEpilogue;
  /** Operands of the epilogue. */
  readonly c?: Tensor | undefined;
  readonly r?: Tensor | undefined;
}

/** Stride 1, zero padding. @param x [N, inChannels, H, W] @returns [N, outChannels, H, W] */
export function convolve(context: ConvContext, name: string, layer: Convolution, x: Tensor): Tensor {
  const { graph, batch, tuning } = context;
  const { rates, bindingBytes } = targetIn(context);
  const { inChannels, outChannels, height, width, epilogue, c, r } = layer;
  const algorithm = convAlgorithm(layer, tuning, rates, layer.weight.choices?.pays);
  if (algorithm === "winograd") return winograd(context, name, layer, x);
  if (algorithm === "implicit") return direct(context, name, layer, x, true);
  // The matrix product cannot write a part of the channels; no published network needs it to.
  if (algorithm === "direct" || 4 * gemmWeightLength(1, outChannels, inChannels) > bindingBytes) {
    return direct(context, name, layer, x);
  }
  const pack = (rows: Float32Array) => packGemmWeight(rows, 1, outChannels, inChannels);
  const length = gemmWeightLength(1, outChannels, inChannels);
  const w = packedWeight(graph, layer, { algorithm: "gemm", first: 0, count: outChannels, length }, pack);
  const product = { groups: 1, images: batch, rows: outChannels, depth: inChannels, columns: height * width };
  const segments = rates ? segmentsOf(plainProduct(layer), rates) : 1;
  const params = { ...product, ...(segments > 1 ? { segments } : {}), type: "act" as const, epilogue };
  return graph.run(name, gemm, params, { x, w, c, r }, { y: [batch, outChannels, height, width] }).y;
}

/**
 * F(4x4, 3x3) or F(2x2, 3x3): input transform, 36 or 16 matrix products, output transform, for some blocks and output
 * channels at a time.
 */
function winograd(context: ConvContext, name: string, layer: Convolution, x: Tensor): Tensor {
  const { graph, batch } = context;
  const { rates, bindingBytes } = targetIn(context);
  const { inChannels, outChannels, height, width, epilogue, c, r } = layer;
  const tile = layer.weight.choices?.tile(layer, rates) ?? winogradTile(height, width, inChannels * outChannels);
  const { points } = transforms(tile);
  const panel = panelFor(batch, height, width, tile);
  const size = { batch, height, width, panel, tile };
  const tiles = tiling(batch, height, width, panel, tile);
  const segments = rates ? segmentsOf(winogradProduct(layer), rates) : 1;
  const weightLength = (count: number) => gemmWeightLength(points, count, inChannels);
  const channelParts = parts(outChannels, 8, bindingBytes, (count) => 4 * weightLength(count));
  // Flat: nothing but the next node reads an operand, and its padding may hold anything.
  const operand = (channels: number, part: Part) => [operandLength(channels, partOf(tiles, part))];
  const widest = Math.max(inChannels, channelParts[0]!.count);
  const blockBytes = (count: number) => 4 * operand(widest, { first: 0, count })[0]!;
  const blockParts = parts(tiles.blocks, panel, bindingBytes, blockBytes);
  let y: Tensor | readonly number[] = [batch, outChannels, height, width];
  for (const [i, blocks] of blockParts.entries()) {
    const part = blockParts.length > 1 ? { part: blocks } : {};
    const ofBlocks = ordinal(i, blockParts);
    const { panels, panelColumns } = partOf(tiles, blocks);
    const input = { ...size, ...part, channels: inChannels };
    const { v } = graph.run(
      `${name}.input${ofBlocks}`,
      winogradInput,
      input,
      { x },
      { v: operand(inChannels, blocks) },
    );
    for (const [j, channels] of channelParts.entries()) {
      const { first, count } = channels;
      const ofChannels = `${ofBlocks}${ordinal(j, channelParts)}`;
      const pack = (rows: Float32Array) => packWinogradWeight(rows, count, inChannels, tile);
      const pieces = (rows: Float32Array) => winogradWeightPieces(rows, count, inChannels, tile);
      const packing = { algorithm: "winograd" as const, tile, ...channels, length: weightLength(count) };
      const w = packedWeight(graph, layer, packing, pack, pieces);
      const perImage = 4 * tiles.blocksX * tiles.blocksY;
      const product = {
        groups: points,
        images: panels,
        rows: count,
        depth: inChannels,
        columns: panelColumns,
        perImage,
        ...(segments > 1 ? { segments } : {}),
      };
      const plain = { ...product, live: 4 * blocks.count, type: "f32" as const, epilogue: { kind: "none" as const } };
      const { y: m } = graph.run(`${name}.gemm${ofChannels}`, gemm, plain, { x: v, w }, { y: operand(count, blocks) });
      const into = channelParts.length > 1 ? { into: { first, of: outChannels } } : {};
      const output = { ...size, ...part, ...into, channels: count, epilogue };
      y = graph.run(`${name}${ofChannels}`, winogradOutput, output, { m, c, r }, { y }).y;
    }
  }
  return y as Tensor;
}

/** The direct sum, for some output channels at a time; `implicit`: by tiles. Both want the same weight. */
function direct(context: ConvContext, name: string, layer: Convolution, x: Tensor, implicit = false): Tensor {
  const { graph, batch } = context;
  const { rates, bindingBytes } = targetIn(context);
  const { inChannels, outChannels, height, width, kernel, epilogue, c, r } = layer;
  const weightLength = (count: number) => packedWeightLength(count, inChannels, kernel);
  const channelParts = parts(outChannels, 8, bindingBytes, (count) => 4 * weightLength(count));
  let y: Tensor | readonly number[] = [batch, outChannels, height, width];
  for (const [j, channels] of channelParts.entries()) {
    const { first, count } = channels;
    const pack = (rows: Float32Array) => packConvWeight(rows, count, inChannels * kernel * kernel);
    const w = packedWeight(graph, layer, { algorithm: "direct", ...channels, length: weightLength(count) }, pack);
    const into = channelParts.length > 1 ? { into: { first, of: outChannels } } : {};
    const params = { batch, inChannels, outChannels: count, height, width, epilogue, ...into };
    const node = `${name}${ordinal(j, channelParts)}`;
    const operands = { x, w, c, r };
    if (implicit) {
      const segments = rates ? segmentsOf(implicitProduct(layer), rates) : 1;
      y = graph.run(node, implicitGemm, { ...params, segments }, operands, { y }).y;
    } else y = graph.run(node, conv, { ...params, kernel }, operands, { y }).y;
  }
  return y as Tensor;
}

interface Part {
  readonly first: number;
  readonly count: number;
}

/** As few parts as keep `bytes` of the largest within the limit, of about one size, each a multiple of `unit` but the last. */
export function parts(total: number, unit: number, limit: number, bytes: (count: number) => number): Part[] {
  let size = total;
  for (let n = 2; bytes(size) > limit && size > unit; n++) size = Math.ceil(total / n / unit) * unit;
  return Array.from({ length: Math.ceil(total / size) }, (_, i) => ({
    first: i * size,
    count: Math.min(size, total - i * size),
  }));
}

/** ` 2/3` in a node's name, where there is more than one. */
export const ordinal = (index: number, of: readonly unknown[]) => (of.length > 1 ? ` ${index + 1}/${of.length}` : "");

/** The packed weight of some output channels: nodes' result, or a constant. */
function packedWeight(
  graph: Graph,
  { weight, outChannels }: Convolution,
  packing: Packing,
  pack: (rows: Float32Array) => Float32Array,
  pieces?: (rows: Float32Array) => Iterable<Float32Array>,
): Tensor {
  if (weight.choices) return weight.packed(packing);
  const { first, count, length, tile } = packing;
  const algorithm = tile ? `${packing.algorithm} F${tile}` : packing.algorithm;
  const rows = count === outChannels ? "" : `, rows ${first} to ${first + count - 1}`;
  return graph.constant(`${weight.name} (${algorithm}${rows})`, [length], "weight", {
    sources: weight.sources,
    make: (sources) => pack(weight.rows(sources, first, count)),
    ...(pieces && { pieces: (sources: readonly Float32Array[]) => pieces(weight.rows(sources, first, count)) }),
  });
}
